/** In place of a predicted class: the sample was not evaluated; it was, and the network gave NaN or infinities. */
export const MISSING = -1;
export const UNDEFINED = -2;
