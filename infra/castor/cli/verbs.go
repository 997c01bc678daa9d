package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// A fetch gets one page of a list.
type fetch[T any] func(ctx context.Context, c *api.Client, cursor string) (api.Page[T], error)

// list makes the verb that shows a list.
func list[T any](a *app, short, example string, columns []column[T], get fetch[T]) *cobra.Command {
	var all bool
	var limit int
	c := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: short, Example: example, Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return errors.New("--limit must be 1 or more")
			}
			items, more, err := pages(ctx, c, get, limit, all)
			if err != nil {
				return err
			}
			if err := printAll(a, cmd.OutOrStdout(), items, columns); err != nil {
				return err
			}
			if more {
				hint(cmd, "There are more; use --all, or a higher --limit.")
			}
			return nil
		})}
	c.Flags().BoolVar(&all, "all", false, "show all, however many there are")
	c.Flags().IntVar(&limit, "limit", 100, "how many to show")
	a.outputFlag(c, asTable, asWide, asJSON, asYAML, asCSV)
	return c
}

// pages walks a list until it has limit items, or all.
func pages[T any](ctx context.Context, c *api.Client, get fetch[T], limit int, all bool) (items []T, more bool, err error) {
	for cursor := ""; ; {
		p, err := get(ctx, c, cursor)
		if err != nil {
			return nil, false, err
		}
		items = append(items, p.Items...)
		if !all && len(items) > limit {
			return items[:limit], true, nil
		}
		if cursor = p.Next; cursor == "" {
			return items, false, nil
		}
		if !all && len(items) == limit {
			return items, true, nil
		}
	}
}

// ids completes arguments by the ids of a list.
func ids[T any](a *app, get fetch[T], id func(T) string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		c, err := a.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		items, _, err := pages(ctx, c, get, 1000, false)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var out []cobra.Completion
		for _, x := range items {
			if s := id(x); strings.HasPrefix(s, begun) {
				out = append(out, s)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// first completes the first argument only.
func first(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, begun)
	}
}

// get makes the verb that shows one thing: as YAML, or as describe does if there is one.
func get[T any](a *app, short, example string, complete cobra.CompletionFunc, one func(ctx context.Context, c *api.Client, id string) (T, error),
	describe func(ctx context.Context, c *api.Client, w io.Writer, v T) error) *cobra.Command {
	c := &cobra.Command{Use: "get ID", Aliases: []string{"show"}, Short: short, Example: example, Args: cobra.ExactArgs(1), ValidArgsFunction: first(complete),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			v, err := one(ctx, c, args[0])
			if err != nil {
				return err
			}
			if a.output == asTable {
				return describe(ctx, c, cmd.OutOrStdout(), v)
			}
			return printOne(a, cmd.OutOrStdout(), v)
		})}
	if describe != nil {
		a.outputFlag(c, asTable, asYAML, asJSON)
	} else {
		a.outputFlag(c, asYAML, asJSON)
	}
	return c
}

// remove makes the verb that deletes things.
func remove(a *app, what, short, example string, complete cobra.CompletionFunc, del func(ctx context.Context, c *api.Client, id string) error) *cobra.Command {
	return removeAs(a, what, "deleted", short, example, complete, del)
}

// removeAs is remove where what becomes of things has another name.
func removeAs(a *app, what, became, short, example string, complete cobra.CompletionFunc, del func(ctx context.Context, c *api.Client, id string) error) *cobra.Command {
	c := &cobra.Command{Use: "delete ID…", Aliases: []string{"rm"}, Short: short, Example: example, Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			out := outcomes{a: a, cmd: cmd}
			for _, id := range args {
				if err := del(ctx, c, id); err != nil {
					return out.end(err)
				}
				out.add(what, id, became)
			}
			return out.end(nil)
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// apply makes the verb that makes or changes what a file describes. put tells the thing's id and what became of it.
func apply[T any](a *app, what, short, example string, put func(ctx context.Context, c *api.Client, v T) (id, outcome string, err error)) *cobra.Command {
	var file string
	c := &cobra.Command{Use: "apply -f FILE", Short: short, Example: example,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, _ []string) error {
			b, err := readFile(cmd, file)
			if err != nil {
				return err
			}
			all, err := documents[T](b)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			out := outcomes{a: a, cmd: cmd}
			for i, v := range all {
				id, became, err := put(ctx, c, v)
				if err != nil {
					return out.end(fmt.Errorf("%s, document %d: %w", file, i+1, err))
				}
				out.add(what, id, became)
			}
			return out.end(nil)
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	fileFlag(c, &file, "file with YAML or JSON, - for the standard input; several documents are separated by ---")
	return c
}

// documents reads YAML (of which JSON is a part) strictly: a field that is not known is a mistake of whoever wrote it.
func documents[T any](b []byte) (all []T, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	for {
		var v any
		if err := dec.Decode(&v); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		j, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("keys must be text: %w", err)
		}
		var t T
		d := json.NewDecoder(bytes.NewReader(j))
		d.DisallowUnknownFields()
		if err := d.Decode(&t); err != nil {
			return nil, fmt.Errorf("document %d: %w", len(all)+1, stranger(j, reflect.TypeFor[T](), misread(v, err)))
		}
		all = append(all, t)
	}
	if len(all) == 0 {
		return nil, errors.New("there is nothing in it")
	}
	return all, nil
}

// printDone prints a thing that was made, in the form asked for; for people, one line.
func printDone(a *app, cmd *cobra.Command, v any, format string, args ...any) error {
	if a.output == asTable {
		done(cmd, format, args...)
		return nil
	}
	return printOne(a, cmd.OutOrStdout(), v)
}
