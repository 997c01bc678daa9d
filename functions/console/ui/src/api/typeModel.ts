import { ask } from './drivers';
import type { Model, Property, Twin } from './types';

/** A command or event that instances of a type know; schemas are JSON Schema. */
export interface Interaction {
  name: string;
  input?: unknown;
  output?: unknown;
  data?: unknown;
  semantic?: string;
  note?: string;
}

export type TypeProperty = Property & { id?: number; enum?: unknown[]; writable?: boolean; semantic?: string };

export type TypeModel = Omit<Model, 'properties'> & {
  properties?: TypeProperty[];
  commands?: Interaction[];
  events?: Interaction[];
  driver?: string;
  firmware?: string;
  format?: string;
};

/** What a type says of its instances. */
export const modelOf = (type: Twin | undefined): TypeModel => (type?.definition.model ?? {}) as TypeModel;

/** A type as a W3C Thing Model. */
export const thingModel = (type: string) => ask<object>('get', `twins/types/${encodeURIComponent(type)}/thing-model`);
