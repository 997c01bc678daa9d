// Where a person is in the enrolment is in the address: back works, and the last step can be come back to.

export type Place =
  | { step: 'type' }
  | { step: 'new-type' }
  | { step: 'device'; type: string }
  | { step: 'watch'; claim: string };

/** The place that an address's parameters name; anything unknown is the beginning. */
export function placeOf(params: URLSearchParams): Place {
  const claim = params.get('claim');
  if (claim) return { step: 'watch', claim };
  const type = params.get('type');
  if (type) return { step: 'device', type };
  return params.get('new') === 'type' ? { step: 'new-type' } : { step: 'type' };
}

/** The address of a place. */
export function addressOf(p: Place): string {
  if (p.step === 'watch') return `/enrol?claim=${encodeURIComponent(p.claim)}`;
  if (p.step === 'device') return `/enrol?type=${encodeURIComponent(p.type)}`;
  return p.step === 'new-type' ? '/enrol?new=type' : '/enrol';
}
