// The words of the stories by meaning. Pure data: how they join to phrases is in phrases.ts, to sentences in patterns.ts.

const words = (list: string): readonly string[] => list.split(' ');

/** A thing that can be owned, lost and given. `tags` say what may happen to it: a `toy` is played with, the wind takes what is `light`. */
export interface Thing {
  readonly singular: string;
  readonly plural: string;
  readonly tags: readonly string[];
}

/** A place with the preposition that it takes: *in* the park, *on* the hill. `water` is where things fall in. */
export interface Place {
  readonly noun: string;
  readonly preposition: string;
  readonly tags: readonly string[];
}

export const GIRLS = words('Anna Clara Ella Emma Ivy Lily Lucy Mia Nora Rosa Ruby Sara');
export const BOYS = words('Adam Ben Finn Hugo Jack Leo Max Noah Oscar Peter Sam Tom');
export const KIN = words('mother father sister brother aunt uncle grandmother grandfather');

const thing = (singular: string, tags = '', plural = `${singular}s`): Thing => ({ singular, plural, tags: words(tags) });
const place = (preposition: string, noun: string, tags = ''): Place => ({ noun, preposition, tags: words(tags) });

export const THINGS: readonly Thing[] = [
  thing('ball', 'toy'), thing('balloon', 'toy light'), thing('bell'), thing('boat', 'toy'), thing('book'), thing('box', '', 'boxes'),
  thing('coin'), thing('cup'), thing('doll', 'toy'), thing('drum', 'toy'), thing('flute'), thing('hat', 'light'), thing('key'),
  thing('kite', 'toy light'), thing('lamp'), thing('map', 'light'), thing('puzzle', 'toy'), thing('ring'), thing('robot', 'toy'),
  thing('scarf', 'light', 'scarves'), thing('umbrella', 'light'),
];
export const THING_ADJECTIVES = words('red blue green yellow orange purple white black big little old new pretty');
export const PLURAL_COUNTS = words('two three');

/** Animals that run off with things carry the tag `runner`: a frog does not steal a drum. */
export const ANIMALS: readonly { readonly noun: string; readonly tags: readonly string[] }[] = [
  ...words('dog cat fox goat squirrel monkey').map((noun) => ({ noun, tags: ['runner'] })),
  ...words('bird duck frog mouse owl pony rabbit').map((noun) => ({ noun, tags: [] })),
];
export const ANIMAL_ADJECTIVES = words('small big brown gray white old young shy friendly');

export const PLACES: readonly Place[] = [
  place('in', 'park'), place('in', 'garden'), place('in', 'forest'), place('in', 'field'), place('in', 'village'),
  place('at', 'beach'), place('at', 'market'), place('at', 'farm'), place('at', 'zoo'), place('at', 'playground'),
  place('by', 'river', 'water'), place('by', 'lake', 'water'), place('by', 'pond', 'water'), place('by', 'sea', 'water'),
  place('on', 'hill'), place('on', 'bridge'),
];

/** Slots that carry no reference: any filler is right, and nothing later depends on it. */
export const FILLERS: Readonly<Record<string, readonly string[]>> = {
  kin: KIN,
  weather: words('sunny warm cold windy bright quiet snowy'),
  daypart: words('morning afternoon evening day'),
  trait: words('kind clever brave shy lazy quiet'),
  sad: words('sad worried upset unhappy'),
  happy: words('happy proud glad thankful'),
  food: words('bread cheese milk rice corn nuts'),
  meal: words('soup cake pie tea bread'),
  tale: words('funny long sad strange'),
  bodyPart: words('knee foot hand arm'),
  good: words('wonderful great lovely perfect'),
  games: words('played danced sang laughed'),
  hidingPlace: ['under a tree', 'under a bench', 'behind a bush', 'behind a rock', 'behind a wall', 'in the grass'],
};
