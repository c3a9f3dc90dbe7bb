export const HELP = [
  {
    title: 'Iterations',
    keys: [
      ['← →', 'a dump back or on (Shift: ten at once); on the matrix: move the cursor'],
      [', .', 'a dump back or on, wherever the focus is'],
      ['Home End', 'the first and the newest dump'],
      ['P', 'play or stop'],
      ['C', 'compare with another dump, or no longer'],
      ['M', 'mark this iteration'],
    ],
  },
  {
    title: 'Matrix',
    keys: [
      ['← → ↑ ↓', 'move from cell to cell (Shift: ten at once)'],
      ['Enter', 'select the cell: its course and its samples'],
      ['N', 'the next confusion, the strongest first (Shift: previous)'],
      ['+ -', 'zoom in and out'],
      ['Backspace', 'show all classes'],
      ['Esc', 'clear the innermost selection'],
    ],
  },
  {
    title: 'Page',
    keys: [
      ['1 2 3 4 5', 'Validation, Layer, Correlation view, cube, Confusion view'],
      ['/', 'find a class'],
      ['?', 'this help'],
      ['Alt ←', 'undo (the browser’s Back)'],
    ],
  },
  {
    title: 'Mouse',
    keys: [
      ['Click', 'a cell: its samples; a name: the class; the iterations: go there'],
      ['Drag', 'a handle; with Shift: the one to compare with; in a zoomed matrix: move it'],
      ['Wheel', 'zoom the matrix'],
    ],
  },
] as const;
