import type { GraphLayout, GraphShape } from '../../kernel/graph_layout.ts';
import { layOutGraph } from './graph_dagre.ts';

/** Lays a graph out beside the page: dagre is large and, on deep networks, slow. */
export type GraphAnswer = { readonly layout: GraphLayout } | { readonly failure: string };

addEventListener('message', (event: MessageEvent<GraphShape>) => {
  postMessage(answerTo(event.data));
});

function answerTo(shape: GraphShape): GraphAnswer {
  try {
    return { layout: layOutGraph(shape) };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
