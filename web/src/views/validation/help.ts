export const HELP = [
  {
    title: 'Stage',
    keys: [
      ['← →', 'move along iterations (Shift: ten at once)'],
      ['↑ ↓', 'move through clusters, classes and samples'],
      ['Home End', 'first and last dump'],
      ['Enter', 'open or close; show a sample'],
      ['N', 'next anomaly of the class (Shift: previous)'],
      ['M', 'mark this iteration'],
      ['B', 'begin and end a selection of iterations'],
      ['Z', 'zoom to the selection'],
      ['+ -', 'zoom in and out'],
      ['Backspace', 'show all iterations'],
      ['Esc', 'clear the innermost selection'],
    ],
  },
  {
    title: 'Page',
    keys: [
      ['1 2 3 4 5', 'Validation, Layer, Correlation view, cube, Confusion view'],
      ['/', 'find a class'],
      ['F', 'findings'],
      ['?', 'this help'],
      ['Alt ←', 'undo (the browser’s Back)'],
    ],
  },
  {
    title: 'Mouse',
    keys: [
      ['Click', 'stripe: open; triangle: who flipped; axis: mark'],
      ['Drag', 'select iterations; in a zoomed pixel chart: pan (Shift: select)'],
      ['Double-click', 'in the selection: zoom'],
      ['Ctrl Wheel', 'zoom iterations; in a pixel chart: row height'],
      ['Shift Wheel', 'move along zoomed iterations'],
    ],
  },
] as const;
