/** Keras's epsilon. */
export const kEpsilon = 1e-7;
/** Smallest normal float32: a base for powers below 1, whose slope at 0 is infinite. */
export const kTiny = 2 ** -126;
