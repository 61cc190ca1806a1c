// Streams by the generated client: events one by one, and lines of JSON as a text.
import { ticksEvents, ticksLines } from './client';
import { client } from './client/client.gen';

declare const process: { argv: string[] };

async function readTicks(): Promise<void> {
  client.setConfig({ baseUrl: process.argv[2] ?? '' });

  const { stream } = await ticksEvents();
  for await (const tick of stream) console.log(JSON.stringify(tick));

  const lines = await ticksLines({ query: { count: 2 }, parseAs: 'text', throwOnError: true });
  for (const line of lines.data.trim().split('\n')) console.log(line);
}

void readTicks();
