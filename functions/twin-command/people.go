package twincommand

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

var idPattern = regexp.MustCompile(`^cmd-[0-9a-f]{16,32}$`)

func (f *function) get(ctx context.Context, c *faas.Call, _ faas.None) (api.Command, error) {
	n, err := f.command(ctx, c, access.Read)
	return n.Command, err
}

// command returns the command of the call's path if the caller may use right on its twin.
func (f *function) command(ctx context.Context, c *faas.Call, right access.Right) (command, error) {
	id := c.Var("id")
	missing := platform.NotFound("command", id)
	if !idPattern.MatchString(id) {
		return command{}, missing
	}
	n, err := f.commands.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return n, missing
	}
	if err != nil {
		return n, err
	}
	t, err := f.p.Twin(ctx, f.twins, c.Caller, right, n.Twin)
	if errors.Is(err, api.ErrNotFound) || err == nil && n.Created.Before(t.Created) {
		return command{}, missing
	}
	return n, err
}

func (f *function) cancel(ctx context.Context, c *faas.Call, _ faas.None) (api.Command, error) {
	if _, err := f.command(ctx, c, access.Write); err != nil {
		return api.Command{}, err
	}
	n, err := f.commands.Update(ctx, c.Var("id"), func(n *command) error {
		if n.State.Ended() {
			if n.State == api.CommandCancelled {
				return store.Unchanged // the same call again
			}
			return fmt.Errorf("%w: the command is over already: %s", api.ErrConflict, n.State)
		}
		n.cancel(c.Caller.String(), f.p.Time())
		return nil
	})
	if err != nil {
		return api.Command{}, err
	}
	f.settle(ctx, n)
	return n.Command, nil
}

// maxRounds bounds how often one call goes back for more because what it found is not what was asked for.
const maxRounds = 20

// list pages through the commands of one twin, newest first. Those of all twins are for maintainers: whose twins other
// people see changes with grants and owners, which commands do not follow.
func (f *function) list(ctx context.Context, c *faas.Call, _ faas.None) (page api.Page[api.Command], err error) {
	page.Items = []api.Command{}
	limit, err := c.Limit()
	if err != nil {
		return page, err
	}
	wanted, err := stateFilter(c.Query.Get("state"))
	if err != nil {
		return page, err
	}
	q := store.Query{Index: "by-created", Cursor: c.Query.Get("cursor")}
	if id := twin.ID(c.Query.Get("twin")); id != "" {
		t, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, id)
		if err != nil {
			return page, err
		}
		q.Index, q.Filter = "by-twin", store.And(store.Eq("twin", id), store.Gte("created", t.Created))
	} else if !c.Caller.Is(access.Maintainer) {
		return page, api.Invalid("name the twin with ?twin=ID; only maintainers list the commands of all twins")
	}
	for range maxRounds {
		q.Limit = limit - len(page.Items)
		found, err := f.commands.Find(ctx, q)
		if err != nil {
			return page, err
		}
		for _, n := range found.Items {
			if wanted(n.State) {
				page.Items = append(page.Items, n.Command)
			}
		}
		if page.Next = found.Next; page.Next == "" || len(page.Items) == limit {
			break
		}
		q.Cursor = page.Next
	}
	return page, nil
}

func stateFilter(s string) (func(api.CommandState) bool, error) {
	switch x := api.CommandState(s); x {
	case "":
		return func(api.CommandState) bool { return true }, nil
	case "open":
		return func(s api.CommandState) bool { return !s.Ended() }, nil
	case api.CommandQueued, api.CommandDelivering, api.CommandSent, api.CommandSucceeded, api.CommandFailed, api.CommandTimedOut, api.CommandUnknown, api.CommandCancelled:
		return func(s api.CommandState) bool { return s == x }, nil
	}
	return nil, api.Invalid("state %.40q must be open, queued, delivering, sent, succeeded, failed, timedOut, unknown or cancelled", s)
}
