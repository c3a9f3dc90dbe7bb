import { SourceError } from '../../source.ts';

/** Why code that is fetched when it is first needed did not come. */
export const UNLOADED = new SourceError('Its script did not come.', '', 0, 'Is the server still running?');

/** To be asked for as a part of the page, so that its failure is told like that of an answer. */
export async function lateScript<T>(fetched: Promise<T>): Promise<T> {
  return fetched.catch(() => {
    throw UNLOADED;
  });
}
