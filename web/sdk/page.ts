// page.ts: the package as pages load it: by EventSource alone, with the same names.

export { StreamClient as MillstreamClient } from './client.ts';
export * from './names.ts';
