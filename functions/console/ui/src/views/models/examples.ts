// Models to begin with. Each is checked by the platform in tests/browser/stories/models.test.ts.

export interface Example {
  id: string;
  title: string;
  about: string;
  text: string;
}

/** What every way in ends with. */
const rest = `  - {name: twin, title: Twin is made, do: create-twin, then: credential, retries: 10}
  - {name: credential, title: Credential is issued, do: issue-credential, then: gateway, retries: 10}
  - {name: gateway, title: Gateway lets it in, do: register-gateway, await: gateway-ready, limit: 30s, retries: 10, then: configuration}
  - {name: configuration, title: Configuration is rendered, do: render-configuration, then: delivery, retries: 10}
  - {name: delivery, title: Device goes operational, do: deliver, await: device-confirm, limit: 2m, retries: 10, then: claim-closed}
  - {name: claim-closed, title: Claim is closed, do: close-claim, then: erased, retries: 100}
  - {name: erased, title: Credential is erased here, do: erase-credential, then: operational, retries: 100}
  - {name: operational, title: Operational, do: activate, end: completed, retries: 100}
  - {name: rejected, title: Rejected, do: withdraw, end: rejected}
`;

export const examples: readonly Example[] = [
  {
    id: 'by-itself',
    title: 'Comes in by itself',
    about: 'A claim and a known serial are enough. What most devices need.',
    text: `id: by-itself
note: A claim and a known serial are enough.
start: claim
states:
  - {name: claim, title: Claim is checked, do: check-claim, then: identity, else: rejected, retries: 10}
  - {name: identity, title: Identity is checked, do: check-identity, then: twin, else: rejected, retries: 10}
${rest}`,
  },
  {
    id: 'firmware-first',
    title: 'People decide about some',
    about: 'Devices with firmware 2 come in by themselves, others when their group says so.',
    text: `id: firmware-first
note: Devices with firmware 2 come in by themselves, others when their group says so.
start: claim
states:
  - name: claim
    title: Claim is checked
    do: check-claim
    retries: 10
    on:
      - {if: 'facts.firmware == "2"', then: identity}
    then: approval
  - name: approval
    title: Old firmware
    do: ask
    with: {question: "{serial} has old firmware. Let it in?", by: owner}
    on:
      - {when: approved, then: identity}
      - {when: declined, then: rejected}
      - {when: device-asked, if: 'facts.firmware == "2"', then: identity}
    limit: 48h
    remind: 12h
    else: rejected
  - {name: identity, title: Identity is checked, do: check-identity, then: twin, else: rejected, retries: 10}
${rest}`,
  },
  {
    id: 'laboratory',
    title: 'A service does a step',
    about: 'A laboratory looks at each device first, and hears of those that come to nothing.',
    text: `id: laboratory
note: A laboratory looks at each device, and hears of those that come to nothing.
start: claim
states:
  - {name: claim, title: Claim is checked, do: check-claim, then: identity, else: rejected, retries: 10}
  - {name: identity, title: Identity is checked, do: check-identity, then: check, else: rejected, retries: 10}
  - name: check
    title: The laboratory looks at it
    do: call-service
    with: {capability: lab.check, step: burn-in, timeout: 20s}
    undo: {do: call-service, with: {capability: lab.check, step: send-back}}
    on:
      - {when: answered, if: 'answer.grade in ["a", "b"]', then: twin}
      - {when: answered, then: rejected}
    limit: 24h
    retries: 3
    backoff: 1m
    else: rejected
${rest}`,
  },
];
