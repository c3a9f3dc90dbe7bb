export const HELP = [
  {
    title: 'Faces',
    keys: [
      ['Tab', 'the next face'],
      ['← → ↑ ↓', 'move over the face (Shift: ten at once)'],
      ['Home End', 'first and last'],
      ['Enter', 'pin what is there (Shift: add, Alt: remove)'],
      ['B', 'begin and end a selection of iterations'],
      ['Z', 'zoom to the selection'],
      ['Esc', 'let go of what is pinned, then of the selection'],
    ],
  },
  {
    title: 'Picture',
    keys: [
      ['C', 'cube or flat'],
      ['M', 'mini-sets or counts'],
      ['1 2 3 4 5', 'Validation, Layer, Correlation view, cube, Confusion view'],
      ['/', 'find a class or a layer'],
      ['F', 'findings'],
      ['?', 'this help'],
      ['Alt ←', 'undo (the browser’s Back)'],
    ],
  },
  {
    title: 'Mouse',
    keys: [
      ['Click', 'pin a mini-set, a class, an iteration (Shift: add, Alt: remove)'],
      [
        'Drag',
        'front and top: select iterations; correlation: layers and classes; corner: depth of the cube',
      ],
      ['Double-click', 'in the selection: zoom'],
      ['Ctrl Wheel', 'zoom iterations'],
    ],
  },
] as const;
