/** What helps against a reason for which a device was turned away. The reasons are the platform's words (twin-provision, credentials). */
interface Remedy {
  text: string;
  /** The serial is to be made known, which can be done at once. */
  makeKnown?: boolean;
}

const remedies: [reason: RegExp, remedy: Remedy][] = [
  [
    /serial .* is not known/,
    {
      text: 'Make its serial known, then let the device ask again: start the same command once more.',
      makeKnown: true,
    },
  ],
  [
    /is of type .*, not/,
    { text: 'The serial is registered for another type. Make a claim for that type, or register the serial anew.' },
  ],
  [
    /(mac|model) .* is not the one/,
    {
      text: 'What the device says of itself is not what was registered. Check that it is the right device, then correct its identity.',
    },
  ],
  [
    /is for serials like/,
    { text: 'Use this claim on a device whose serial it is for, or make a claim for this serial.' },
  ],
  [
    /is for devices of type/,
    { text: 'The device asked as another type. Correct the topic, or make a claim for that type.' },
  ],
  [/was revoked|expired|used up|no use/, { text: 'Make a new claim: this one lets nobody in any more.' }],
  [
    /another key|reset its provisioning run|must be reset/,
    {
      text: 'The device is on the platform already. To let it come in anew, reset its run: castor run reset RUN "reason".',
    },
  ],
  [/belongs to another group/, { text: 'The twin has another owner. Make a claim for that group.' }],
  [/provisioning model/, { text: 'Correct the type: it names a provisioning model that it cannot use.' }],
  [/certificate request|csr/i, { text: 'Make key and request anew, as the commands show.' }],
];

/** The remedy for a reason. */
export function remedyOf(reason: string): Remedy {
  return (
    remedies.find(([r]) => r.test(reason))?.[1] ?? {
      text: 'Correct what the reason names, then let the device ask again: start the same command once more.',
    }
  );
}
