package platform

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// The collections that more than one function opens. Each still has one writer (for twins: one per part); the others read,
// where asking over HTTP would cost the device path a call per batch. All other collections are their function's own.

// OpenGrants opens the grants. Written by authorization, read here.
func OpenGrants(ctx context.Context, db *store.DB) (*store.Collection[access.Grant], error) {
	return store.Open[access.Grant](ctx, db, store.Spec{Name: "grants", Schema: 1, Indexes: []store.Index{
		{Name: "by-subject", Fields: []string{"subject", "object"}},
		{Name: "by-object", Fields: []string{"object", "subject"}},
		{Name: "by-deletion", Fields: []string{"deleted"}},
		{Name: "by-outbox", Fields: []string{"outbox.since"}},
	}})
}

// OpenTwins opens the twins of all kinds. The definition is written by twins, the live part by twin-ingest.
func OpenTwins(ctx context.Context, db *store.DB) (*store.Collection[twin.Twin], error) {
	return store.Open[twin.Twin](ctx, db, store.Spec{Name: "twins", Schema: 1, Indexes: []store.Index{
		{Name: "by-kind", Fields: []string{"kind"}},
		{Name: "by-type", Fields: []string{"definition.type"}},
		{Name: "by-owner", Fields: []string{"definition.owner"}},
		{Name: "by-aggregate", Fields: []string{"definition.aggregates"}},
		{Name: "by-tag", Fields: []string{"definition.tags"}},
		{Name: "by-phase", Fields: []string{"definition.phase"}},
		{Name: "by-due", Fields: []string{"live.due"}},
		{Name: "by-outbox", Fields: []string{"outbox.since"}},
		{Name: "by-deleted", Fields: []string{"deleted"}},
		{Name: "by-seen", Fields: []string{"live.presence.lastSeen"}},
	}})
}

// OpenRules opens the rules. Written by twin-monitor, read by twin-ingest.
func OpenRules(ctx context.Context, db *store.DB) (*store.Collection[monitor.Rule], error) {
	return store.Open[monitor.Rule](ctx, db, store.Spec{Name: "rules", Schema: 1, Indexes: []store.Index{
		{Name: "by-target", Fields: []string{"target"}},
	}})
}

// OpenCredentials opens the credentials, which say what reference a twin's device has, and in which generation. Written by
// credentials; see Places for who reads them, and OpenSpoken. T is the writer's type, or the part of it that a reader needs.
func OpenCredentials[T any](ctx context.Context, db *store.DB) (*store.Collection[T], error) {
	return store.Open[T](ctx, db, store.Spec{Name: "credentials", Schema: 1, Indexes: []store.Index{
		{Name: "by-ref", Fields: []string{"ref"}, Unique: true},
		{Name: "by-via", Fields: []string{"viaTwin"}},
		{Name: "by-outbox", Fields: []string{"outbox.since"}},
	}})
}

// OpenSpoken opens the credentials as twins reads them: for whom a device speaks, and who is on the way to it. T has what these indexes are of.
func OpenSpoken[T any](ctx context.Context, db *store.DB) (*store.Collection[T], error) {
	return store.Open[T](ctx, db, store.Spec{Name: "credentials", Schema: 1, Indexes: []store.Index{
		{Name: "by-via", Fields: []string{"viaTwin"}},
		{Name: "by-moving", Fields: []string{"moving"}, Unique: true}, // so that it holds only those that move
	}})
}

// OpenAssignments opens the assignments, which say at which gateway a device has its place. Written by gateways; see Places
// for who reads them. T is the writer's type, or the part of it that a reader needs.
func OpenAssignments[T any](ctx context.Context, db *store.DB) (*store.Collection[T], error) {
	return store.Open[T](ctx, db, store.Spec{Name: "assignments", Schema: 1, Indexes: []store.Index{
		{Name: "by-twin", Fields: []string{"twin"}},
		{Name: "by-pending", Fields: []string{"pendingSince"}},
		{Name: "by-removed", Fields: []string{"removedAt"}},
		{Name: "by-gateway", Fields: []string{"gateway", "removed"}},
		{Name: "by-moving", Fields: []string{"stayUntil"}},
	}})
}

// OpenIdentities opens the identities of devices, by twin. Written by identities, which alone knows their other indexes; drivers reads
// serials. T is the writer's type, or the part of it that a reader needs.
func OpenIdentities[T any](ctx context.Context, db *store.DB) (*store.Collection[T], error) {
	return store.Open[T](ctx, db, store.Spec{Name: "identities", Schema: 1})
}

// OpenAlarms opens the alarms. Written by alerts, which has more indexes than this one; twins finds by it the twins that have
// open alarms. T is the writer's type, or the part of it that a reader needs.
func OpenAlarms[T any](ctx context.Context, db *store.DB) (*store.Collection[T], error) {
	return store.Open[T](ctx, db, store.Spec{Name: "alarms", Schema: 1, Indexes: []store.Index{
		{Name: "by-scope", Fields: []string{"scopes", "state", "key"}},
	}})
}

// OpenHistory opens the history. Written by twin-ingest, read by twin-history.
func OpenHistory(ctx context.Context, db *store.DB) (*store.Collection[api.Record], error) {
	return store.Open[api.Record](ctx, db, store.Spec{Name: "history", Schema: 1})
}

// OpenParked opens the messages that are parked. Written by twin-ingest; twins removes those of twins that are deleted, drivers
// looks for what may be read again.
func OpenParked(ctx context.Context, db *store.DB) (*store.Collection[api.ParkedMessage], error) {
	return store.Open[api.ParkedMessage](ctx, db, store.Spec{Name: "parked", Schema: 1, Indexes: []store.Index{
		{Name: "by-twin", Fields: []string{"twin", "-received"}},
		{Name: "by-driver", Fields: []string{"driver", "-received"}},
		{Name: "by-ref", Fields: []string{"ref", "-received"}},
		{Name: "by-type", Fields: []string{"type", "-received"}},
		{Name: "by-via", Fields: []string{"via", "-received"}},
	}})
}
