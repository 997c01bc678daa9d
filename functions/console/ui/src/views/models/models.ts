// What the views of provisioning models read and do.
import { queryOptions } from '@tanstack/react-query';
import { api, ok, versioned } from '@/api/client';
import { keys } from '@/api/queries';
import type { ModelCheck, ProvisioningModel, Simulate, Twin } from '@/api/types';

/** The models that every platform has; they may be changed, not deleted. */
export const shipped: readonly string[] = ['automatic', 'semi-automatic', 'manual'];

export const modelHref = (id: string) => `/models/${encodeURIComponent(id)}`;

const pages = 5;

/** All models with their states. */
export const allModels = queryOptions({
  queryKey: keys.models(),
  queryFn: async ({ signal }) => {
    const out: ProvisioningModel[] = [];
    let cursor = '';
    for (let n = 0; n < pages; n++) {
      const query = { limit: 500, ...(cursor && { cursor }) };
      const page = await ok(api.GET('/function/twin-provision/models', { params: { query }, signal }));
      out.push(...page.items);
      cursor = page.next ?? '';
      if (!cursor) break;
    }
    return out;
  },
});

/** A model as YAML text with its entity tag; `version` 0 is the newest. */
export const modelText = (id: string, version = 0) =>
  queryOptions({
    queryKey: keys.modelVersion(id, version),
    queryFn: ({ signal }) => readText(id, version, signal),
    enabled: id !== '',
  });

/** Reads a model's text now. */
export async function readText(id: string, version = 0, signal?: AbortSignal): Promise<{ text: string; etag: string }> {
  const { value, etag } = await versioned(
    api.GET('/function/twin-provision/models/{id}', {
      params: { path: { id }, query: version ? { version } : {} },
      headers: { Accept: 'application/yaml' },
      parseAs: 'text',
      signal,
    }),
  );
  // Version and time are the platform's to say, and would differ between any two.
  return { text: String(value).replace(/^(version|updated):.*\n/gm, ''), etag };
}

/** The versions of a model, the newest first. */
export const versionsOf = (id: string) =>
  queryOptions({
    queryKey: ['models', id, 'versions'],
    queryFn: ({ signal }) =>
      ok(api.GET('/function/twin-provision/models/{id}/versions', { params: { path: { id } }, signal })),
  });

const asText = {
  headers: { 'Content-Type': 'application/yaml' },
  bodySerializer: (text: unknown) => String(text),
};

/** What is wrong with a text, and the model that it is. */
export const check = (text: string, signal?: AbortSignal): Promise<ModelCheck> =>
  ok(api.POST('/function/twin-provision/models/check', { body: text as never, signal, ...asText }));

/** What would become of a device. */
export const simulate = (body: Simulate, signal?: AbortSignal) =>
  ok(api.POST('/function/twin-provision/models/simulate', { body, signal }));

/** Tells by which model a device of a type would come in, and why. */
export const choose = (body: NonNullable<Simulate['sample']> & { type: string }, signal?: AbortSignal) =>
  ok(api.POST('/function/twin-provision/models/choose', { body, signal }));

/** The entity tag of what is not there yet. */
export const notYet = '"0"';

/** Makes the next version of a model, if its newest is the one that `etag` names. */
export const save = (id: string, text: string, etag: string) =>
  ok(
    api.PUT('/function/twin-provision/models/{id}', {
      params: { path: { id }, header: { 'If-Match': etag } },
      body: text as never,
      ...asText,
    }),
  );

/** A use of a model by a type: by a condition, or else. */
export interface Use {
  type: Twin;
  /** '' = where no choice of the type holds. */
  condition: string;
}

/** Which types use which model. A type that names none uses the automatic one. */
export function usesOf(types: Iterable<Twin>): Map<string, Use[]> {
  const uses = new Map<string, Use[]>();
  const add = (model: string, use: Use) => uses.set(model, [...(uses.get(model) ?? []), use]);
  for (const type of types) {
    if (type.kind !== 'type') continue;
    for (const c of type.definition.model?.choices ?? []) add(c.model, { type, condition: c.if });
    add(type.definition.model?.provisioning || 'automatic', { type, condition: '' });
  }
  return uses;
}
