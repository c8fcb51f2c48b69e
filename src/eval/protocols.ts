// The protocols that `ldlm eval` knows, what each needs, and the refusal of a request that lacks it, before anything is computed.

import { LdlmError } from '../api/errors.js';
import { FEWEST_COSMOS_TEXTS } from './gen_ppl_cosmos.js';
import { FEWEST_MAUVE_TEXTS } from './mauve.js';

interface Needs {
  scorer?: true;
  reference?: true;
  /** Fewest samples with which it means something; default 1. */
  fewest?: number;
}

export const protocolNeeds = {
  'genppl/mdlm-v1': { scorer: true },
  'genppl/sedd-v1': { scorer: true },
  'genppl/cosmos-v1': { scorer: true, fewest: FEWEST_COSMOS_TEXTS },
  'entropy/model-tokens-nats': {},
  'entropy/gpt2-tokens-nats': { scorer: true },
  'mauve/v1': { scorer: true, reference: true, fewest: FEWEST_MAUVE_TEXTS },
  'diversity/v1': { fewest: 2 },
  'memorisation/v1': {},
  'reconstruction/v1': { reference: true },
  'grammar/v1': {},
} as const satisfies Record<string, Needs>;

export type ProtocolName = keyof typeof protocolNeeds;

export const protocolNames = Object.keys(protocolNeeds) as ProtocolName[];

export interface Request {
  protocols: readonly string[];
  count: number;
  scorer: boolean;
  /** Reference texts, or null if there are none. */
  references: number | null;
}

/** @throws LdlmError ERR_LDLM_INVALID_ARGUMENT naming the protocol, what it must have and what it got */
export function checkRequest({ protocols, count, scorer, references }: Request): void {
  const refuse = (what: string): never => {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', what);
  };
  if (protocols.length === 0) refuse(`protocols must name at least one of ${protocolNames.join(', ')}, got none`);
  for (const name of protocols) {
    if (!Object.hasOwn(protocolNeeds, name)) refuse(`protocol must be one of ${protocolNames.join(', ')}, got '${name}'`);
    const needs: Needs = protocolNeeds[name as ProtocolName];
    if (needs.scorer && !scorer) refuse(`${name} must have a scorer, got none. Give --scorer DIR, a GPT-2 in the Hugging Face layout (ldlm pretrain makes a small one)`);
    if (needs.reference && !references) refuse(`${name} must have reference texts, got none. Give --reference FILE with held-out texts, one a line`);
    if (count < (needs.fewest ?? 1)) refuse(`${name} must have at least ${needs.fewest ?? 1} samples, got --count ${count}`);
  }
  if (protocols.includes('mauve/v1') && references! < count) {
    refuse(`mauve/v1 must have as many references as samples, ${count}, got ${references}. Give a longer --reference FILE or a smaller --count`);
  }
}
