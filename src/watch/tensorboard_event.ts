// TensorBoard's messages as bytes: the few of tensorflow's event.proto and summary.proto that it needs for curves, histograms and text.
// Field numbers are those of the .proto files; the wire format is @bufbuild/protobuf's. As in proto3, a number that is 0 is left out.

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Bars side by side: bar i reaches from the end of the one before (`from` for the first) to `ends[i]`. */
export interface Histogram {
  from: number;
  ends: readonly number[];
  heights: readonly number[];
}

export type SummaryValue =
  | { tag: string; scalar: number }
  | { tag: string; histogram: Histogram }
  /** Shown as Markdown. */
  | { tag: string; texts: readonly string[] };

/** What an event says: the version that opens a file, that steps from here on replace earlier ones, or values. */
export type EventContent = { fileVersion: string } | { sessionStart: true } | { values: readonly SummaryValue[] };

export interface Event {
  /** Seconds since 1970. */
  wallTime: number;
  step: number;
  content: EventContent;
}

const SESSION_START = 1;
const DT_STRING = 7;

/** tensorflow.Event */
export function encodeEvent({ wallTime, step, content }: Event): Uint8Array {
  const writer = new BinaryWriter();
  double(writer, 1, wallTime);
  whole(writer, 2, step);
  if ('fileVersion' in content) writer.tag(3, WireType.LengthDelimited).string(content.fileVersion);
  else if ('sessionStart' in content) message(writer, 7, () => whole(writer, 1, SESSION_START));
  else message(writer, 5, () => content.values.forEach((value) => message(writer, 1, () => writeValue(writer, value))));
  return writer.finish();
}

/** tensorflow.Summary.Value */
function writeValue(writer: BinaryWriter, value: SummaryValue): void {
  writer.tag(1, WireType.LengthDelimited).string(value.tag);
  if ('scalar' in value) writer.tag(2, WireType.Bit32).float(value.scalar);
  else if ('histogram' in value) message(writer, 5, () => writeHistogram(writer, value.histogram));
  else writeTexts(writer, value.texts);
}

/** tensorflow.HistogramProto. Its moments are those of heights gathered at the middles of the bars. */
function writeHistogram(writer: BinaryWriter, { from, ends, heights }: Histogram): void {
  const middles = ends.map((end, i) => (end + (ends[i - 1] ?? from)) / 2);
  const moment = (power: number): number => heights.reduce((sum, height, i) => sum + height * middles[i]! ** power, 0);
  [from, ends.at(-1) ?? from, moment(0), moment(1), moment(2)].forEach((figure, i) => double(writer, i + 1, figure));
  message(writer, 6, () => ends.forEach((end) => writer.double(end)));
  message(writer, 7, () => heights.forEach((height) => writer.double(height)));
}

/** A tensorflow.TensorProto of strings, and the SummaryMetadata that gives it to the text page. */
function writeTexts(writer: BinaryWriter, texts: readonly string[]): void {
  message(writer, 8, () => {
    whole(writer, 1, DT_STRING);
    message(writer, 2, () => message(writer, 2, () => whole(writer, 1, texts.length)));
    for (const text of texts) writer.tag(8, WireType.LengthDelimited).bytes(new TextEncoder().encode(text));
  });
  message(writer, 9, () => message(writer, 1, () => writer.tag(1, WireType.LengthDelimited).string('text')));
}

function double(writer: BinaryWriter, field: number, value: number): void {
  if (value !== 0) writer.tag(field, WireType.Bit64).double(value);
}

function whole(writer: BinaryWriter, field: number, value: number): void {
  if (value !== 0) writer.tag(field, WireType.Varint).int64(value);
}

/** A message, or a packed list of numbers. */
function message(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}
