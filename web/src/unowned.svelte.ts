/**
 * What a view makes when it is first shown, and what is kept when the view is hidden: were it made as the view's own,
 * everything derived in it would stand still from then on.
 */
export function unowned<T>(make: () => T): T {
  let made: T | undefined;
  $effect.root(() => {
    made = make();
  });
  return made as T;
}
