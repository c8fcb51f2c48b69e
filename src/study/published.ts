// Figures that other systems were published with, to place a frontier against: gen-PPL by GPT-2 large and unigram entropy in nats. Taken
// from tables of later papers, not from runs of ours and mostly not from the systems' own papers: second-hand. Counts, tokenization and
// entropy are those of each paper, so a difference of a few per cent means nothing.

export interface PublishedFigure {
  system: string;
  perplexity: number;
  entropy: number;
}

export interface PublishedCorpus {
  what: string;
  /** Entropy of the data themselves. */
  dataEntropy: number;
  figures: readonly PublishedFigure[];
}

const figure = (system: string, perplexity: number, entropy: number): PublishedFigure => ({ system, perplexity, entropy });

export const published = {
  owt: {
    what: 'OpenWebText, 1024 tokens, GPT-2 large, second-hand',
    dataEntropy: 5.44,
    figures: [
      figure('AR', 35.9, 5.58),
      figure('MDLM, 1024 steps', 104.9, 5.63),
      figure('Duo, 1024 steps', 77.7, 5.55),
      figure('SEDD-absorb, 1024 steps', 105, 5.62),
      figure('FLM', 62.2, 5.33),
      figure('LangFlow', 60.1, 5.43),
      figure('ConvergeFlow', 33.2, 5.44),
      figure('ELF-B, 32 steps', 24.3, 5.16),
    ],
  },
  lm1b: {
    what: 'LM1B, 128 tokens, GPT-2 large, second-hand',
    dataEntropy: 4.336,
    figures: [figure('JPEG-DLM', 96.8, 4.263), figure('FMLM, 4 steps', 98.8, 4.21), figure('Duo+DCD, 4 steps', 211, 4.23)],
  },
} as const satisfies Record<string, PublishedCorpus>;

export type PublishedName = keyof typeof published;

export const publishedNames = Object.keys(published) as PublishedName[];
