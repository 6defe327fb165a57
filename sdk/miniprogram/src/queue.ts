/** Runs at most `limit` pieces of work at once, in the order they came. */
export function queue(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: Array<() => void> = [];
  let running = 0;
  return async (work) => {
    if (running >= limit) {
      await new Promise<void>((go) => waiting.push(go));
    } else {
      running++;
    }
    try {
      return await work();
    } finally {
      // The place goes to whoever waits longest, without being free in between.
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
