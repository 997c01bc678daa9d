package mosquitto

import (
	"context"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

// Suspend shuts a client out and keeps the hash of its password, which nobody else has. A client that is disabled may not show its
// password, and without its role it may nothing. One with a certificate loses client and role: mosquitto would let it in.
func (t *Target) Suspend(ctx context.Context, a api.Admission) error {
	if a.Kind != device.Password {
		return t.Remove(ctx, a.Client)
	}
	old, err := t.owner(ctx, a.Client)
	if err != nil {
		return err
	}
	if old == nil || old.Username != user(a) || old.Description != description(a) { // what it would keep is not good any more
		return t.Remove(ctx, a.Client)
	}
	_, err = t.c.Control.must(ctx,
		command{"command": "disableClient", "username": old.Username},
		command{"command": "modifyClient", "username": old.Username, "roles": []any{}})
	return err
}

// enable lets a client in again that was suspended, by the password that the broker has kept.
func (t *Target) enable(ctx context.Context, a api.Admission) error {
	_, err := t.c.Control.must(ctx,
		command{"command": "modifyRole", "rolename": t.role(a.Client), "textdescription": user(a), "acls": rights(a.Client)},
		command{"command": "modifyClient", "username": user(a), "roles": []any{command{"rolename": t.role(a.Client)}}},
		command{"command": "enableClient", "username": user(a)})
	return err
}
