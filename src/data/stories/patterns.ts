// The sentence patterns of the stories: the grammar itself, as data. Generator (generate.ts) and validator (check.ts) share it.
//
// `<X.Subj>` is a slot: the role X in the form `Subj` of phrases.ts; `<T.the:toy>` admits only phrases with the tag `toy`;
// `<weather>` is a free filler. Roles: X and Y are the two persons (either may be the hero), T the thing, A the animal,
// P the place. One story has at most one entity for each, so an object or animal that returns is always the same one.
//
// `needs` and `then` are facts separated by spaces, as in a STRIPS planner. `!fact` in `needs` means absent, in `then` removed.
// `fact.X` holds for the person who plays X. Facts:
//   at            somebody is at the place P              friend    the second person is there
//   owner.X       X holds the thing                       want.X    X wants the thing, which nobody has yet
//   pet.X fed.X   X's own animal, one that X has fed            wish      the other would like to play with the thing
//   given         the thing was a present, not to be given on
//   trouble       an open problem of victim.X, of one kind: lost, stolen or wet (the thing), help (the person)
//   troubled      there was a problem (one a story is enough)
//   thanks.X      X has a reason to thank the other        met       the second person was a stranger before
//   late          the sun has gone down: only an ending may follow

/** Where in a story a sentence may stand: first, between, or last. */
export type Stage = 'opening' | 'middle' | 'ending';

/** One kind of sentence. */
export interface SentencePattern {
  readonly stage: Stage;
  readonly text: string;
  readonly needs: string;
  readonly then: string;
  /** True when a pronoun in the next sentence would be ambiguous, because nobody or several persons are the topic. */
  readonly clearsTopic: boolean;
  /** The relative chance that the generator picks it where it can stand. */
  readonly weight: number;
}

interface PatternOptions { needs?: string; then?: string; clearsTopic?: boolean; weight?: number }

const pattern = (stage: Stage) => (text: string, options: PatternOptions = {}): SentencePattern =>
  ({ stage, text, needs: '', then: '', clearsTopic: false, weight: 1, ...options });
const opening = pattern('opening');
const middle = pattern('middle');
const ending = pattern('ending');

const CALM = '!trouble !late';
const UNTROUBLED = '!troubled !late';
const SETTLED = '!trouble !wish';
const TROUBLE = 'trouble troubled victim.X';
const SOLVED = '!trouble !lost !stolen !wet !help !sad';

const OPENINGS: readonly SentencePattern[] = [
  opening('<X.new> had <T.a>.', { then: 'owner.X' }),
  opening('<X.new> got <T.a> from <X.poss> <kin>.', { then: 'owner.X' }),
  opening('<X.new> found <T.a> <P.at>.', { then: 'owner.X at' }),
  opening('<X.new> wanted <T.a> for <X.poss> birthday.', { then: 'want.X' }),
  opening('One <weather> <daypart>, <X.new> went <P.to>.', { then: 'at' }),
  opening('It was a <weather> <daypart>, and <X.new> was <P.at>.', { then: 'at' }),
  opening('<X.new> lived near the <placeNoun> with <A.a>.', { then: 'pet.X', weight: 1.5 }),
  opening('Once there was a <trait> <X.girl> named <X.new>.', { weight: 0.5 }),
  opening('<X.new> and <Y.new> were good friends.', { then: 'friend', clearsTopic: true, weight: 0.7 }),
  opening('One <daypart>, <X.new> and <Y.new> went <P.to>.', { then: 'friend at', clearsTopic: true }),
];

const OUTINGS: readonly SentencePattern[] = [
  middle('One day, <X.subj> went <P.to>.', { needs: `!at !want.X !pet.X !friend ${CALM}`, then: 'at', weight: 0.7 }),
  middle('<X.Subj> took <T.obj> <P.to>.', { needs: `owner.X !friend ${CALM}`, then: 'at' }),
  middle('<X.Subj> and <A.the> went <P.to>.', { needs: `pet.X !friend ${CALM}`, then: 'at', weight: 2 }),
  middle('One day, they went <P.to> together.', { needs: `friend !at ${CALM}`, then: 'at', clearsTopic: true }),
  middle('<X.Subj> was tired, so <X.she> sat down to rest.', { needs: `at ${CALM}`, weight: 0.5 }),
];

const COMPANY: readonly SentencePattern[] = [
  middle('There <X.subj> met <Y.new>.', { needs: `at !friend ${CALM}`, then: 'friend met' }),
  middle('<X.Poss> friend <Y.new> came to see <T.obj>.', { needs: `owner.X !friend ${CALM}`, then: 'friend' }),
  middle('They <games> until the sun went down.', { needs: `friend at ${CALM}`, then: 'late', clearsTopic: true, weight: 3 }),
  middle('They played with <T.the:toy> for a long time.', { needs: `friend !want.X !want.Y ${CALM}`, then: '!wish', clearsTopic: true, weight: 3 }),
  middle('<T.The> <T.was> very special to <X.obj>.', { needs: `owner.X ${CALM}`, weight: 0.5 }),
  middle('<X.Subj> gave <Y.obj> <T.a>.', { needs: `friend ${CALM}`, then: 'owner.Y thanks.Y given' }),
  middle('<X.Subj> told <Y.obj> a <tale> story.', { needs: `friend ${CALM}`, weight: 0.4 }),
  middle('<X.Subj> liked <T.obj> very much.', { needs: `!want.X !want.Y ${CALM}`, weight: 0.4 }),
  middle('<X.Subj> gave <T.obj> to <Y.obj>.', { needs: `owner.X friend !given ${CALM}`, then: '!owner.X owner.Y thanks.Y !wish' }),
  middle('<X.Subj> thanked <Y.obj> and smiled.', { needs: `thanks.X ${CALM}`, then: '!thanks.X', weight: 5 }),
];

const WISHES: readonly SentencePattern[] = [
  middle('<X.Subj> saved some money and bought <T.the>.', { needs: 'want.X', then: '!want.X owner.X' }),
  middle('<X.Poss> <kin> gave <T.obj> to <X.him>.', { needs: 'want.X', then: '!want.X owner.X', clearsTopic: true }),
];

const FINDS: readonly SentencePattern[] = [
  middle('There <X.subj> found <T.a>.', { needs: `at ${CALM}`, then: 'owner.X', weight: 1.5 }),
  middle('There <X.subj> saw <A.a>.', { needs: `at ${CALM}` }),
  middle('<A.A> was sleeping under a tree.', { needs: `at ${CALM}`, weight: 0.5 }),
  middle('<A.The> was hungry, so <X.subj> gave <A.it> some <food>.', { needs: `!stolen ${CALM}`, then: 'fed.X', weight: 4 }),
];

const LOSSES: readonly SentencePattern[] = [
  middle('But <X.subj> lost <T.obj> on the way home.', { needs: `owner.X at ${UNTROUBLED}`, then: `${TROUBLE} lost`, weight: 25 }),
  middle('The wind took <T.the:light> away.', { needs: `owner.X at ${UNTROUBLED}`, then: `${TROUBLE} lost`, weight: 40 }),
  middle('Suddenly, <A.a:runner> took <T.the> and ran away.', { needs: `owner.X at ${UNTROUBLED}`, then: `${TROUBLE} stolen`, weight: 25 }),
  middle('<T.The> fell into <P.the:water>.', { needs: `owner.X at ${UNTROUBLED}`, then: `${TROUBLE} wet`, weight: 20 }),
  middle('<X.Subj> fell and hurt <X.poss> <bodyPart>.', { needs: `at ${UNTROUBLED}`, then: `${TROUBLE} help`, weight: 0.5 }),
  middle('<X.Subj> wanted to play with <T.the:toy> too.', { needs: `owner.Y friend ${UNTROUBLED}`, then: 'wish', weight: 12 }),
];

const RESCUES: readonly SentencePattern[] = [
  middle('<X.Subj> was very <sad>.', { needs: 'trouble victim.X !sad', then: 'sad' }),
  middle('<X.Subj> looked for <T.obj> everywhere.', { needs: 'lost', weight: 4 }),
  middle('<Y.anyone> helped <X.obj> look for <T.obj>.', { needs: 'lost victim.X', then: 'friend thanks.X', weight: 6 }),
  middle('Soon <X.subj> found <T.obj> <hidingPlace>.', { needs: 'lost', then: SOLVED }),
  middle('<A.A> found <T.obj> and brought <T.it> back.', { needs: 'lost', then: SOLVED, weight: 2 }),
  middle('<X.Subj> ran after <A.the> and got <T.the> back.', { needs: 'stolen', then: SOLVED }),
  middle('<X.Subj> used a long stick to get <T.obj> back.', { needs: 'wet', then: SOLVED }),
  middle('<Y.anyone> came and helped <X.obj>.', { needs: 'help victim.X', then: `${SOLVED} friend thanks.X`, weight: 0.7 }),
  middle('<X.Poss> <kin> came and helped <X.him>.', { needs: 'help victim.X', then: SOLVED, clearsTopic: true }),
];

const ENDINGS: readonly SentencePattern[] = [
  ending('In the end, <X.subj> was very <happy>.', { needs: SETTLED, weight: 0.6 }),
  ending('<X.Subj> went home and told <X.poss> <kin> about <T.the>.', { needs: SETTLED }),
  ending('<X.Subj> went home and told <X.poss> <kin> about <A.the>.', { needs: SETTLED, weight: 1.5 }),
  ending('<X.Subj> took <T.obj> home and put <T.it> on a shelf.', { needs: `owner.X at ${SETTLED}`, weight: 1.5 }),
  ending('They went home and had some <meal> together.', { needs: `friend at ${SETTLED}`, weight: 2 }),
  ending('From then on, they were best friends.', { needs: `met ${SETTLED}`, weight: 3 }),
  ending('From then on, <X.subj> and <A.the> were best friends.', { needs: `fed.X ${SETTLED}`, weight: 3 }),
  ending('That night, <X.subj> slept next to <A.the>.', { needs: `pet.X ${SETTLED}`, weight: 3 }),
  ending('It was a <good> day.', { needs: SETTLED, weight: 0.4 }),
];

/** Every sentence pattern. Their order is part of the corpus: a seed gives other stories when it changes. */
export const PATTERNS: readonly SentencePattern[] = [
  ...OPENINGS, ...OUTINGS, ...COMPANY, ...WISHES, ...FINDS, ...LOSSES, ...RESCUES, ...ENDINGS,
];
