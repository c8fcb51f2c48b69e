// The Pareto front: what no other point beats.

/**
 * The points that no other point is as good as in every respect and better than in one. Equal points stand or fall together.
 * @param goodness one function a respect, more is better
 * @example paretoFront(points, ({ entropy }) => entropy, ({ perplexity }) => -perplexity)
 */
export function paretoFront<Point>(points: readonly Point[], ...goodness: readonly ((point: Point) => number)[]): Point[] {
  const beats = (a: Point, b: Point): boolean => goodness.every((of) => of(a) >= of(b)) && goodness.some((of) => of(a) > of(b));
  return points.filter((point) => !points.some((other) => beats(other, point)));
}
