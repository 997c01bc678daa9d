// Package cli is the commands by which people and scripts work with a platform: `castor login`, `castor twin list` and so on.
// It stands on shared/api alone, so whatever it does any program can do. It starts no platform; package up does.
package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// app is what all commands share: the flags that each has, and the world around them.
type app struct {
	url, ca, output string

	dir func() (string, error) // where the session is kept
	now func() time.Time
	env func(string) string
}

// Commands returns the commands, to be added to the root. env is the environment, in which castor doctor looks for the settings
// of a part of the platform.
func Commands(env func(string) string) []*cobra.Command {
	a := &app{now: time.Now, env: env, dir: func() (string, error) {
		dir, err := os.UserConfigDir()
		return filepath.Join(dir, "castor"), err
	}}
	return a.commands()
}

func (a *app) commands() []*cobra.Command {
	all := []*cobra.Command{a.loginCommand(), a.logoutCommand(), a.typeCommand(), a.identityCommand(), a.claimCommand(), a.credentialCommand(), a.twinCommand(),
		a.historyCommand(), a.ruleCommand(), a.alarmCommand(), a.routeCommand(), a.commandCommand(), a.userCommand(), a.accountCommand(), a.groupCommand(), a.grantCommand(),
		a.modelCommand(), a.runCommand(), a.waitingCommand(), a.deviceCommand(), a.templateCommand(), a.gatewayCommand(), a.artifactCommand(), a.driverCommand(), a.jobCommand(), a.archiveCommand(), a.replayCommand(), a.keyCommand(), a.operationCommand(), a.doctorCommand()}
	for _, c := range all {
		f := c.PersistentFlags()
		f.StringVar(&a.url, "url", "", "the platform's gateway (default: where you signed in last, else "+defaultURL+")")
		f.StringVar(&a.ca, "ca", "", "file with the CA certificate that signed the gateway's, PEM (default: as when you signed in)")
	}
	return all
}

const defaultURL = "http://127.0.0.1:8080"

// noun makes the command of a noun, which only holds its verbs.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, Example: verbs[0].Example,
		RunE: help}
	c.AddCommand(verbs...)
	return c
}

// run makes what a command does of do, which gets a client that is signed in. Its errors become one line that says what to do.
func (a *app) run(do func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err == nil {
			err = capitals(cmd.Context(), c, do(cmd.Context(), c, cmd, args))
		}
		return a.explain(err)
	}
}

// noTwin finds the id in an error that says there is no such twin, or type.
var noTwin = regexp.MustCompile(`there is no (twin|type) "?([0-9A-Za-z._-]+)`)

// capitals adds to an error about a twin that is not there which one is, but for capital letters: devices are often typed as they are
// labelled, and the ids that the platform makes of serials have small letters.
func capitals(ctx context.Context, c *api.Client, err error) error {
	if err == nil {
		return nil
	}
	named := noTwin.FindStringSubmatch(err.Error())
	if named == nil || named[2] == strings.ToLower(named[2]) {
		return err
	}
	id := strings.ToLower(named[2])
	if _, not := c.GetTwin(ctx, twin.ID(id)); not != nil {
		return err
	}
	return fmt.Errorf("%w; capitals count in ids, and there is a %s %s", err, named[1], id)
}

// explain says an error with its remedy.
func (a *app) explain(err error) error {
	var op *net.OpError
	var unknownCA x509.UnknownAuthorityError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.Is(err, errOver):
		return fmt.Errorf("your session at %s is over; run: castor login --url %s", a.url, a.url)
	case errors.Is(err, access.ErrUnauthenticated):
		return fmt.Errorf("you are not signed in at %s; run: castor login --url %s", a.url, a.url)
	case errors.As(err, &unknownCA):
		return fmt.Errorf("the certificate of %s is signed by nobody this machine knows; give the CA with --ca DATA/keys/castor-ca, where DATA is castor up's data directory", a.url)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("the platform at %s speaks HTTP; run: castor login --url http://%s", a.url, strings.TrimPrefix(a.url, "https://"))
	case strings.Contains(err.Error(), "HTTP request to an HTTPS server"): // net/http's answer, which is plain text
		return fmt.Errorf("the platform at %s speaks HTTPS now; run: castor login --url https://%s --ca DATA/keys/castor-ca, where DATA is castor up's data directory", a.url, strings.TrimPrefix(a.url, "http://"))
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("no platform answers at %s (%v); start one with: castor up, or name it with --url", a.url, op.Err)
	case errors.Is(err, api.ErrStale):
		return fmt.Errorf("%w; run the command again", err)
	}
	return err
}

// done prints what was done, for people; -o json and the like print the thing itself.
func done(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...)
}

// hint prints what is no part of the result, where it does not get into a pipe.
func hint(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
}

// readFile reads a file, or the standard input for "-".
func readFile(cmd *cobra.Command, name string) ([]byte, error) {
	const most = 16 << 20
	in := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && len(b) > most {
		err = fmt.Errorf("%s has more than %d MiB", name, most>>20)
	}
	return b, err
}
