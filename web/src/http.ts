import { decodeFrame, type Frame } from './kernel/frame.ts';
import { SourceError, type Asking, type Listener } from './source.ts';

/** How is the server asked, and listened to? The only place of the page that knows of fetch and EventSource. */
const RECONNECT_SECONDS = 3;

export type Query = Readonly<Record<string, string | number | undefined>>;

export function address(route: string, query: Query): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${encodeURIComponent(value as string | number)}`);
  return `/api/${route}${parts.length ? `?${parts.join('&')}` : ''}`;
}

async function ask(endpoint: string, { signal, onProgress }: Asking): Promise<ArrayBuffer> {
  let response: Response;
  try {
    response = await fetch(endpoint, { signal, headers: { Accept: '*/*' } });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new SourceError(
      'The server does not answer.',
      endpoint,
      0,
      'Is `deeptracker serve` still running?',
    );
  }
  if (!response.ok) throw await failureOf(response, endpoint);
  return onProgress ? received(response, onProgress) : response.arrayBuffer();
}

async function received(response: Response, onProgress: (bytes: number) => void): Promise<ArrayBuffer> {
  if (!response.body) return response.arrayBuffer();
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    total += value.byteLength;
    onProgress(total);
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole.buffer;
}

async function failureOf(response: Response, endpoint: string): Promise<SourceError> {
  const body = (await response.json().catch(() => null)) as {
    error?: { message?: string; remedy?: string };
  } | null;
  const message = body?.error?.message ?? (response.statusText || 'The server could not answer.');
  return new SourceError(message, endpoint, response.status, body?.error?.remedy ?? '');
}

export async function json<T>(endpoint: string, asking: Asking): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await ask(endpoint, asking))) as T;
}

export async function frame(endpoint: string, asking: Asking): Promise<Frame> {
  return decodeFrame(await ask(endpoint, asking));
}

/**
 * 1. The browser reconnects by itself after a dropped connection, but not after a refused one: that is done here.
 * 2. A hidden page lets go of its stream: a browser keeps six connections to a server over all its tabs, and streams of
 *    forgotten tabs would leave none for questions. Shown again, it is told the newest at once.
 */
export function follow<T>(endpoint: string, event: string, listener: Listener<T>): () => void {
  let events: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    clearTimeout(timer);
    events?.close();
    events = null;
  };
  const open = () => {
    close();
    const opened = new EventSource(endpoint);
    events = opened;
    opened.onopen = () => listener.onConnection(true);
    opened.addEventListener(event, (message) => listener.onWord(JSON.parse(message.data as string) as T));
    opened.onerror = () => {
      listener.onConnection(false);
      if (opened.readyState === EventSource.CLOSED) timer = setTimeout(open, RECONNECT_SECONDS * 1000);
    };
  };
  const shownOrHidden = () => (document.hidden ? close() : open());
  document.addEventListener('visibilitychange', shownOrHidden);
  if (!document.hidden) open();
  return () => {
    document.removeEventListener('visibilitychange', shownOrHidden);
    close();
  };
}
