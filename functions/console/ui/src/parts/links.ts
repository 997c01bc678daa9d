// Addresses within the console. What stands in them comes from devices and people, so it is encoded here and nowhere else.

/** A twin's page. */
export const twinHref = (id: string) => `/twins/${encodeURIComponent(id)}`;

/** A type's page. */
export const typeHref = (id: string) => `/types/${encodeURIComponent(id)}`;

/** A payload driver's page, and a part of it. */
export const driverHref = (name: string, tab = '', chosen: Record<string, string> = {}) => {
  const query = new URLSearchParams({ ...(tab && { tab }), ...chosen }).toString();
  return `/drivers/${encodeURIComponent(name)}${query && `?${query}`}`;
};

/** The page of a twin, by its kind. */
export const pageHref = (t: { id: string; kind: string }) => (t.kind === 'type' ? typeHref(t.id) : twinHref(t.id));

/** A provisioning run's page; what the platform writes to people leads there too. */
export const runHref = (id: string) => `/runs/${encodeURIComponent(id)}`;

/** Where people are led through a run, a step at a time. */
export const installHref = (id: string) => `${runHref(id)}/install`;

/** A part of the provisioning view, and what is chosen there. */
export const provisioningHref = (tab: string, chosen: Record<string, string> = {}) =>
  `/provisioning?${new URLSearchParams({ tab, ...chosen })}`;

/** Where people decide about a run that asks them. */
export const decideHref = (run: string) => provisioningHref('approvals', { run });

/** Where a rule is shown and edited. */
export const ruleHref = (id: string) => `/rules/new?rule=${encodeURIComponent(id)}`;

/** Where a rule is made for a twin, and one of its properties. */
export const newRuleHref = (twin: string, property?: string) =>
  `/rules/new?twin=${encodeURIComponent(twin)}${property === undefined ? '' : `&property=${encodeURIComponent(property)}`}`;

/** The open alarms of a twin, or of those that belong to a type or aggregate. */
export const alarmsHref = (twin: string) => `/alarms?twin=${encodeURIComponent(twin)}`;

/** The fleet, of which only these are shown. */
export const fleetHref = (filter: Record<string, string>) => `/?${new URLSearchParams(filter)}`;
