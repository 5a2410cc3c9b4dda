/** The words of a text that names several things. */

/** Separated by commas or spaces, each once. */
export const wordsOf = (text: string): readonly string[] => [...new Set(text.split(/[\s,]+/).filter((word) => word !== ''))];
