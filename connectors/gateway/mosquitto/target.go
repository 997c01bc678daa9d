// Package mosquitto makes a gateway of an Eclipse Mosquitto with its plugin "dynamic security" (paper 4.10): it tells the
// broker over MQTT whom it lets in. For each device there are a client and a role of its own, because the plugin refuses patterns,
// and a removed device loses both: mosquitto lets a client that is only disabled in again by its certificate (its issue 2999). A
// suspended one with a password keeps its client, because nobody else has the password.
//
// Mosquitto identifies a certificate by its name, not by its fingerprint, so those that were replaced or revoked are in a
// revocation list that it reads (see Revocations). Passwords come sealed to this gateway, once; mosquitto keeps a hash of them,
// and one that it has lost must be issued anew.
package mosquitto

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/castor-iot/castor/connectors/gateway/configurator"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/seal"
)

// Config says which broker is configured, and how.
type Config struct {
	Gateway string // its id; tells its clients from others of the same broker
	Control *Control

	// Key opens the secrets that are sealed to this gateway; nil = it takes certificates only.
	Key []byte

	// Revocations has the broker refuse certificates; nil = it takes passwords only.
	Revocations *Revocations
}

// A Target is a mosquitto as the configurator sees it.
type Target struct {
	c Config

	mu    sync.Mutex
	shows map[string][]string // fingerprints by device, as this process has applied them
}

// New returns the target.
func New(c Config) *Target { return &Target{c: c, shows: make(map[string][]string)} }

// Kinds are what devices may show to mosquitto: passwords where it has a key, certificates where it has a revocation list.
func (c Config) Kinds() (kinds []device.Kind) {
	if c.Revocations != nil {
		kinds = append(kinds, device.Certificate)
	}
	if c.Key != nil {
		kinds = append(kinds, device.Password)
	}
	return kinds
}

// PublicKey is what devices' passwords are sealed to.
func (c Config) PublicKey() (string, error) { return seal.PublicOf(c.Key) }

// Width lets many be told at a time: the plugin's answers wait for the next round of the broker's loop, up to 100 ms, and all that were
// given in one round come together.
func (t *Target) Width() int { return 64 }

// role is the name of a device's role; without a device, of the role that stands for the gateway itself.
func (t *Target) role(client string) string { return "castor:" + t.c.Gateway + ":" + client }

// A known is what the broker keeps of a client.
type known struct {
	Username    string `json:"username"`
	Description string `json:"textdescription"`
	Disabled    bool   `json:"disabled"`
	Roles       []struct {
		Name string `json:"rolename"`
	} `json:"roles"`
}

// has tells whether the client has the role.
func (k *known) has(role string) bool {
	for _, r := range k.Roles {
		if r.Name == role {
			return true
		}
	}
	return false
}

// user is the name that mosquitto knows the device by.
func user(a api.Admission) string {
	if a.Kind == device.Password && a.Username != "" {
		return a.Username
	}
	return a.Client
}

// description says by which credentials the client is let in, so that the broker itself remembers what it was told.
func description(a api.Admission) string {
	if a.Kind == device.Certificate || a.Kind == "" {
		return "castor certificate " + strings.Join(a.Fingerprints, " ")
	}
	sum := sha256.Sum256([]byte(a.Username + "\x00" + last(a.Verifiers)))
	return "castor password " + hex.EncodeToString(sum[:])
}

func last(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// Apply lets the client in.
func (t *Target) Apply(ctx context.Context, a api.Admission) error {
	password, byPassword := "", a.Kind == device.Password
	switch {
	case byPassword && t.c.Key == nil, !byPassword && t.c.Revocations == nil, a.Kind != "" && a.Kind != device.Certificate && !byPassword:
		return fmt.Errorf("%w: this gateway does not take credentials of kind %s", configurator.ErrLost, a.Kind)
	case !byPassword:
		if err := t.c.Revocations.Refresh(ctx); err != nil {
			return err
		}
	}
	old, err := t.owner(ctx, a.Client)
	if err != nil {
		return err
	}
	about := description(a)
	if old != nil && old.Username == user(a) && old.Description == about {
		t.mu.Lock()
		shows, ok := t.shows[a.Client]
		t.mu.Unlock()
		if byPassword && (old.Disabled || !old.has(t.role(a.Client))) {
			return t.enable(ctx, a)
		}
		if byPassword || !ok || within(a.Fingerprints, shows) {
			t.show(a.Client, a.Fingerprints)
			return t.afterReload(ctx) // nothing new
		}
	}
	if byPassword {
		if a.Sealed == "" {
			if old != nil { // its password is not good any more
				err = t.Remove(ctx, a.Client)
			}
			if err != nil {
				return err
			}
			return fmt.Errorf("%w: mosquitto does not have the device's password, and nobody else does", configurator.ErrLost)
		}
		if password, err = t.open(a); err != nil {
			return fmt.Errorf("%w: its password cannot be opened: %w", configurator.ErrLost, err)
		}
	}
	if old != nil {
		if !byPassword && old.Username == user(a) && t.onlyMore(a) {
			t.show(a.Client, a.Fingerprints)
			return t.afterReload(ctx)
		}
		if err := t.Remove(ctx, a.Client); err != nil { // sessions of what is not good any more end with it
			return err
		}
	}
	client := command{"command": "createClient", "username": user(a), "textdescription": about, "roles": []any{command{"rolename": t.role(a.Client)}}}
	if byPassword {
		client["password"] = password
	}
	// One message for all: the broker writes its file with each.
	role := command{"command": "createRole", "rolename": t.role(a.Client), "textdescription": user(a), "acls": rights(a.Client)}
	answers, err := t.c.Control.do(ctx, role, client, command{"command": "getDefaultACLAccess"})
	if err != nil {
		return err
	}
	if answers[0].Error != "" { // there is such a role, of which it may not be known what it says
		if _, err := t.c.Control.must(ctx, command{"command": "modifyRole", "rolename": t.role(a.Client), "textdescription": user(a), "acls": rights(a.Client)}); err != nil {
			return err
		}
	}
	if answers[1].Error != "" {
		return fmt.Errorf("mosquitto: createClient: %s", answers[1].Error)
	}
	t.show(a.Client, a.Fingerprints)
	return nil
}

// onlyMore tells whether every certificate that the device may have a session by is good still. The broker does not say by which
// it was let in, and changing what it remembers of a client ends its sessions; so it remembers the first, and this process the rest.
func (t *Target) onlyMore(a api.Admission) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	shows, ok := t.shows[a.Client]
	return ok && within(a.Fingerprints, shows)
}

func (t *Target) show(client string, fingerprints []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shows[client] = fingerprints; len(fingerprints) == 0 {
		delete(t.shows, client)
	}
}

// afterReload returns when the broker has gone round its loop once more: what it was signalled before, it has done then.
func (t *Target) afterReload(ctx context.Context) error {
	_, err := t.c.Control.do(ctx, command{"command": "getDefaultACLAccess"})
	return err
}

func (t *Target) open(a api.Admission) (string, error) {
	plain, err := seal.Open(t.c.Key, api.SealInfo(device.Ref(a.Client)), a.Sealed)
	if err != nil {
		return "", err
	}
	var s struct {
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal(plain, &s); err != nil || s.Secret == "" {
		return "", fmt.Errorf("it has no secret")
	}
	return s.Secret, nil
}

func within(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// rights are the topics of the wire contract for one device.
func rights(ref string) (acls []any) {
	add := func(kind string, topics ...string) {
		for _, topic := range topics {
			acls = append(acls, command{"acltype": kind, "topic": "castor/" + ref + "/" + topic, "allow": true})
		}
	}
	add("publishClientSend", "telemetry", "state/reported", "event", "log/+", "command/+/response", "provision/confirm", "credential/renew", "credential/confirm")
	add("subscribePattern", "ack", "state/delta", "command/+", "gateway", "credential/renewed")
	return acls
}

// owner is the client that has the device's role, which names it; nil if there is none.
func (t *Target) owner(ctx context.Context, ref string) (*known, error) {
	answers, err := t.c.Control.do(ctx, command{"command": "getRole", "rolename": t.role(ref)})
	if err != nil || answers[0].Error != "" {
		return nil, err // that there is no such role is no error
	}
	var role struct {
		Role struct {
			Description string `json:"textdescription"`
		} `json:"role"`
	}
	if err := json.Unmarshal(answers[0].Data, &role); err != nil {
		return nil, fmt.Errorf("mosquitto's answer to getRole cannot be read: %w", err)
	}
	answers, err = t.c.Control.do(ctx, command{"command": "getClient", "username": role.Role.Description})
	if err != nil || answers[0].Error != "" {
		return nil, err
	}
	var out struct {
		Client known `json:"client"`
	}
	if err := json.Unmarshal(answers[0].Data, &out); err != nil {
		return nil, fmt.Errorf("mosquitto's answer to getClient cannot be read: %w", err)
	}
	return &out.Client, nil
}

// members are the user names by device, of clients of this gateway.
func (t *Target) members(ctx context.Context) (map[string]string, error) {
	all, err := t.clients(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(all))
	for _, c := range all {
		for _, r := range c.Roles {
			if ref, ok := strings.CutPrefix(r.Name, t.role("")); ok && ref != "" {
				names[ref] = c.Username
			}
		}
	}
	return names, nil
}

func (t *Target) clients(ctx context.Context) ([]known, error) {
	answers, err := t.c.Control.must(ctx, command{"command": "listClients", "verbose": true, "count": -1, "offset": 0})
	if err != nil {
		return nil, err
	}
	var out struct {
		Clients []known `json:"clients"`
	}
	if err := json.Unmarshal(answers[0].Data, &out); err != nil {
		return nil, fmt.Errorf("mosquitto's answer to listClients cannot be read: %w", err)
	}
	return out.Clients, nil
}

// Remove ends the client's sessions: first what it is let in by, then its rights.
func (t *Target) Remove(ctx context.Context, client string) error {
	if t.c.Revocations != nil {
		if err := t.c.Revocations.Refresh(ctx); err != nil {
			return err
		}
	}
	name := client
	old, err := t.owner(ctx, client)
	if err != nil {
		return err
	}
	if old != nil {
		name = old.Username
		if _, err := t.c.Control.must(ctx, command{"command": "deleteClient", "username": name}); err != nil {
			return err
		}
	}
	_, err = t.c.Control.do(ctx, command{"command": "deleteRole", "rolename": t.role(client)})
	if err != nil {
		return err
	}
	t.show(client, nil)
	return t.afterReload(ctx)
}

// List names the devices that have a role.
func (t *Target) List(ctx context.Context) ([]string, error) {
	answers, err := t.c.Control.must(ctx, command{"command": "listRoles", "verbose": false, "count": -1, "offset": 0})
	if err != nil {
		return nil, err
	}
	var out struct {
		Roles []string `json:"roles"`
	}
	if err := json.Unmarshal(answers[0].Data, &out); err != nil {
		return nil, fmt.Errorf("mosquitto's answer to listRoles cannot be read: %w", err)
	}
	names, err := t.members(ctx)
	if err != nil {
		return nil, err
	}
	var refs []string
	for _, r := range out.Roles {
		if ref, ok := strings.CutPrefix(r, t.role("")); ok && names[ref] != "" {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// State is kept by the broker in a role that nobody has: where that is gone, all is.
func (t *Target) State(ctx context.Context) (string, error) {
	answers, err := t.c.Control.do(ctx, command{"command": "getRole", "rolename": t.role("")})
	if err != nil {
		return "", err
	}
	if answers[0].Error == "" {
		var out struct {
			Role struct {
				Description string `json:"textdescription"`
			} `json:"role"`
		}
		if err := json.Unmarshal(answers[0].Data, &out); err == nil && out.Role.Description != "" {
			return out.Role.Description, nil
		}
	}
	if err := t.c.Control.grant(ctx); err != nil {
		return "", err
	}
	epoch := rand.Text()
	_, err = t.c.Control.must(ctx, command{"command": "createRole", "rolename": t.role(""), "textdescription": epoch, "acls": []any{}})
	return epoch, err
}
