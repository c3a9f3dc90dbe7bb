export const HELP = [
  {
    title: 'Stage',
    keys: [
      ['← →', 'move along iterations (Shift: ten at once)'],
      ['↑ ↓', 'move through charts and filters'],
      ['Home End', 'first and last dump'],
      ['Enter', 'drill down; unfold a layer into its filters; select a filter'],
      ['Alt Enter', 'the same for all siblings'],
      ['Backspace', 'up one level; at the top: show all iterations'],
      ['M', 'mark this iteration'],
      ['F', 'into the iterations before the nearest dump that showed trouble (Esc: back)'],
      ['B', 'begin and end a selection of iterations'],
      ['Z', 'zoom to the selection'],
      ['+ -', 'zoom in and out'],
      ['Esc', 'clear the innermost selection'],
    ],
  },
  {
    title: 'Page',
    keys: [
      ['1 2 3 4 5', 'Validation, Layer, Correlation view, cube, Confusion view'],
      ['G', 'the network as a graph'],
      ['/', 'find a layer'],
      ['F', 'findings'],
      ['?', 'this help'],
      ['Alt ←', 'undo (the browser’s Back)'],
    ],
  },
  {
    title: 'Mouse',
    keys: [
      ['Click', 'bar: show, drill down, close; chart: open; filter: details; axis: mark'],
      ['Alt Click', 'bar: all siblings'],
      ['Drag', 'select iterations; in zoomed filters: pan (Shift: select)'],
      ['Double-click', 'in the selection: zoom'],
      ['Ctrl Wheel', 'zoom iterations; over filters: height of their rows'],
      ['Shift Wheel', 'move along zoomed iterations'],
    ],
  },
] as const;
