package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"path/filepath"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
)

func (a *app) artifactCommand() *cobra.Command {
	var q api.ArtifactQuery
	all := func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Artifact], error) {
		return c.ListArtifacts(ctx, api.ArtifactQuery{Cursor: cursor})
	}
	complete := ids(a, all, func(v api.Artifact) string { return v.ID })
	ls := list(a, "List artifacts", "  castor artifact list\n  castor artifact list --tag os=linux --name pump", []column[api.Artifact]{
		{"id", func(v api.Artifact) string { return v.ID }},
		{"name", func(v api.Artifact) string { return a.short(v.Name) }},
		{"owner", func(v api.Artifact) string { return v.Owner }},
		{"size", func(v api.Artifact) string { return quantity(float64(v.Size), "By") }},
		{"state", func(v api.Artifact) string { return string(v.State) }},
		{"tags", func(v api.Artifact) string { return a.short(strings.Join(v.Tags, ", ")) }},
		{"needed by", func(v api.Artifact) string { return a.short(strings.Join(v.References, ", ")) }},
		{"created", func(v api.Artifact) string { return a.ago(v.Created) }},
	}, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Artifact], error) {
		q := q
		q.Cursor = cursor
		return c.ListArtifacts(ctx, q)
	})
	f := ls.Flags()
	f.StringVar(&q.Name, "name", "", "only those whose name begins so")
	f.StringVar(&q.Tag, "tag", "", "only those with this tag")
	f.StringVar(&q.Owner, "owner", "", "only those of this group")
	check(ls.RegisterFlagCompletionFunc("owner", groupIDs(a)))
	return noun("artifact", "Artifacts: system images, clients and other files for devices", ls,
		get(a, "Show an artifact", "  castor artifact get artifact-1f0c", complete,
			func(ctx context.Context, c *api.Client, id string) (api.Artifact, error) {
				return c.GetArtifact(ctx, id)
			},
			func(_ context.Context, _ *api.Client, w io.Writer, v api.Artifact) error {
				return printFacts(w, []fact{{"id", v.ID}, {"name", v.Name}, {"owner", v.Owner}, {"size", fmt.Sprintf("%d bytes", v.Size)}, {"SHA-256", v.SHA256},
					{"media type", v.MediaType}, {"state", string(v.State)}, {"reason", v.Reason}, {"tags", strings.Join(v.Tags, ", ")},
					{"needed by", strings.Join(v.References, ", ")}, {"by", v.By}, {"created", a.ago(v.Created)}})
			}),
		a.uploadCommand(), a.downloadCommand(complete),
		remove(a, "artifact", "Delete artifacts that nobody needs; give uploads up", "  castor artifact delete artifact-1f0c", complete,
			func(ctx context.Context, c *api.Client, id string) error { return c.DeleteArtifact(ctx, id) }),
		a.quotaCommand())
}

func (a *app) uploadCommand() *cobra.Command {
	var in api.NewArtifact
	c := &cobra.Command{Use: "upload FILE", Short: "Upload a file; run it again to go on with one that was broken off", Args: cobra.ExactArgs(1),
		Example: `  castor artifact upload pump-1.2.0.tar.gz --owner press --tag os=linux --tag arch=arm64`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			in := in
			if in.Name == "" {
				in.Name = filepath.Base(args[0])
			}
			if in.MediaType == "" {
				in.MediaType = mime.TypeByExtension(filepath.Ext(in.Name))
			}
			begin := time.Now()
			t := transfer{api: c, http: plainHTTP(c), bars: cmd.ErrOrStderr()}
			v, err := t.upload(ctx, args[0], in)
			if err != nil {
				return err
			}
			return printDone(a, cmd, v, "%s is artifact %s, verified, in %s", v.Name, v.ID, time.Since(begin).Round(time.Millisecond))
		})}
	f := c.Flags()
	f.StringVar(&in.Name, "name", "", "name that downloads get (default the file's)")
	f.StringVar(&in.Owner, "owner", "", "group it belongs to (default yours, if you are in one only)")
	f.StringVar(&in.MediaType, "media-type", "", "what it is, like application/gzip (default by the end of its name)")
	f.StringSliceVar(&in.Tags, "tag", nil, "word it is found by, like os=linux; may be repeated")
	check(c.RegisterFlagCompletionFunc("owner", groupIDs(a)))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func (a *app) downloadCommand(complete cobra.CompletionFunc) *cobra.Command {
	var to string
	var force bool
	c := &cobra.Command{Use: "download ID", Short: "Download an artifact and verify its SHA-256; run it again to go on with one that was broken off", Args: cobra.ExactArgs(1),
		Example: `  castor artifact download artifact-1f0c
  castor artifact download artifact-1f0c -o pump.tar.gz`, ValidArgsFunction: first(complete),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			t := transfer{api: c, http: plainHTTP(c), bars: cmd.ErrOrStderr()}
			name, err := t.download(ctx, args[0], to, force)
			if err != nil {
				return err
			}
			done(cmd, "%s downloaded and verified", name)
			return nil
		})}
	c.Flags().StringVarP(&to, "output", "o", "", "file to write to (default the artifact's name, here)")
	c.Flags().BoolVar(&force, "force", false, "replace the file if it is there")
	return c
}

func (a *app) quotaCommand() *cobra.Command {
	var in api.NewArtifactQuota
	c := &cobra.Command{Use: "quota GROUP", Short: "Show what the artifacts of a group may take, and take; set it, as a maintainer", Args: cobra.ExactArgs(1), ValidArgsFunction: first(groupIDs(a)),
		Example: `  castor artifact quota press
  castor artifact quota press --bytes 53687091200 --count 20000`}
	c.RunE = a.run(func(ctx context.Context, api *api.Client, cmd *cobra.Command, args []string) error {
		q, err := api.GetArtifactQuota(ctx, args[0])
		if err != nil {
			return err
		}
		bytes, count := cmd.Flags().Changed("bytes"), cmd.Flags().Changed("count")
		if bytes || count {
			in := in
			if !bytes {
				in.MaxBytes = q.MaxBytes
			}
			if !count {
				in.MaxCount = q.MaxCount
			}
			if q, err = api.PutArtifactQuota(ctx, args[0], in); err != nil {
				return err
			}
		}
		return printDone(a, cmd, q, "group %s has %d of %d artifacts, %s of %s", q.Group, q.Count, q.MaxCount, quantity(float64(q.Bytes), "By"), quantity(float64(q.MaxBytes), "By"))
	})
	c.Flags().Int64Var(&in.MaxBytes, "bytes", 0, "set how many bytes they may have")
	c.Flags().Int64Var(&in.MaxCount, "count", 0, "set how many there may be")
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// errThere tells that a file is in the way.
var errThere = errors.New("is there already")
