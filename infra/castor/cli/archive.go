package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
)

func (a *app) archiveCommand() *cobra.Command {
	archives := func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Archive], error) {
		return c.ListArchives(ctx, cursor)
	}
	complete := ids(a, archives, func(x api.Archive) string { return x.ID })
	return noun("archive", "Archives: what was kept of deleted twins",
		list(a, "List archives, the newest first", "  castor archive list", []column[api.Archive]{
			{"id", func(x api.Archive) string { return x.ID }},
			{"type", func(x api.Archive) string { return string(x.Type) }},
			{"owner", func(x api.Archive) string { return x.Owner }},
			{"state", func(x api.Archive) string { return string(x.State) }},
			{"records", func(x api.Archive) string { return fmt.Sprint(x.Records) }},
			{"bytes", func(x api.Archive) string { return fmt.Sprint(x.Size) }},
			{"deleted", func(x api.Archive) string { return a.ago(x.Deleted) }},
			{"by", func(x api.Archive) string { return x.By }},
			{"reason", func(x api.Archive) string { return a.short(x.Reason) }},
		}, archives),
		a.getArchive(complete),
		remove(a, "archive", "Erase archives, for ever; of those that are not ready, the twin's data too", "  castor archive delete pump-7@20261121T120000.000Z",
			complete, func(ctx context.Context, c *api.Client, id string) error { return c.EraseArchive(ctx, id) }))
}

// getArchive shows an archive, or downloads it and checks that it came whole.
func (a *app) getArchive(complete cobra.CompletionFunc) *cobra.Command {
	var file string
	var force bool
	c := &cobra.Command{Use: "get ID", Aliases: []string{"show"}, Short: "Show an archive, or download it with --file", Args: cobra.ExactArgs(1), ValidArgsFunction: first(complete),
		Long: "Show an archive, or download it with --file: gzipped lines of JSON, the twin's document first, then its history.",
		Example: `  castor archive get pump-7@20261121T120000.000Z
  castor archive get pump-7@20261121T120000.000Z --file pump-7.ndjson.gz`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			x, err := c.GetArchive(ctx, args[0])
			if err != nil {
				return err
			}
			if file == "" {
				return printOne(a, cmd.OutOrStdout(), x)
			}
			u, err := c.ArchiveURL(ctx, x.ID)
			if err != nil {
				return err
			}
			if err := download(ctx, u.URL, file, force, x); err != nil {
				return err
			}
			hint(cmd, "%s: %d records, %d bytes", file, x.Records, x.Size)
			return nil
		})}
	a.outputFlag(c, asYAML, asJSON)
	c.Flags().StringVarP(&file, "file", "f", "", "file to download it to")
	c.Flags().BoolVar(&force, "force", false, "replace the file if it is there")
	return c
}

// download brings a file from the object store. It gets its name when it is whole, so what force replaces is not lost by one
// that is not.
func download(ctx context.Context, from, file string, force bool, x api.Archive) (err error) {
	if _, err := os.Lstat(file); err == nil && !force {
		return fmt.Errorf("%s %w; name another with --file, or give --force", file, errThere)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the object store cannot be reached from here: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the object store answers %s", resp.Status)
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // for its owner alone
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(f.Name(), file)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), resp.Body)
	if err == nil && (n != x.Size || !strings.EqualFold(hex.EncodeToString(sum.Sum(nil)), x.SHA256)) {
		err = errors.New("it did not come whole; try again")
	}
	return err
}
