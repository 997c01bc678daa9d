// Reads one stream of server-sent events by fetch, which can send headers and tells a refusal from a broken line; EventSource can neither.
import { createParser } from 'eventsource-parser';
import { consoleHeader } from '@/api/binding';

export interface Frame {
  event: string;
  id: string;
  data: unknown;
}

/** The server refused the stream; 401 asks for a new access token. */
export class Refused extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`the stream was refused (${status})`);
    this.status = status;
  }
}

/** Reads until the server ends the stream (returns) or the line breaks (throws). `silent` ms without a byte count as broken. */
export async function readStream(
  url: string,
  lastId: string,
  signal: AbortSignal,
  silent: number,
  take: (f: Frame) => void,
): Promise<void> {
  const broken = new AbortController();
  const stop = AbortSignal.any([signal, broken.signal]);
  let watch = setTimeout(() => broken.abort(), silent);
  try {
    const headers: Record<string, string> = { ...consoleHeader(), Accept: 'text/event-stream' };
    if (lastId) headers['Last-Event-ID'] = lastId;
    const r = await fetch(url, { headers, signal: stop, cache: 'no-store' });
    if (!r.ok || !r.body) {
      await r.body?.cancel();
      throw new Refused(r.status);
    }
    const parser = createParser({
      onEvent: (e) => {
        let data: unknown;
        try {
          data = JSON.parse(e.data);
        } catch {
          return; // not ours
        }
        take({ event: e.event ?? 'message', id: e.id ?? '', data });
      },
    });
    const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(() => broken.abort(), silent);
      parser.feed(value);
    }
  } finally {
    clearTimeout(watch);
  }
}
