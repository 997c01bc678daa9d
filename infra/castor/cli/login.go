package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) loginCommand() *cobra.Command {
	var name string
	var fromStdin bool
	c := &cobra.Command{
		Use: "login [USER]", Short: "Sign in to a platform", Args: cobra.MaximumNArgs(1),
		Long: "Sign in to a platform. The session is kept for the commands that follow, also those of other terminals, and renewed by itself.\nA platform that was started with castor up shows the first administrator's password once.",
		Example: `  castor login admin
  castor login ada --url https://castor.example --ca ca.pem
  castor login ci --password-stdin < password.txt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				name = args[0]
			}
			return a.explain(a.login(cmd, name, fromStdin))
		},
	}
	c.Flags().StringVar(&name, "user", "", "the user, if not named as an argument")
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from the standard input")
	return c
}

func (a *app) login(cmd *cobra.Command, name string, fromStdin bool) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	client.Authorize = nil
	in := bufio.NewReader(cmd.InOrStdin())
	if name == "" {
		if fromStdin {
			return errors.New("name the user: castor login USER --password-stdin")
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "User at %s: ", a.url)
		if name, err = in.ReadString('\n'); err != nil && name == "" {
			return errors.New("no user was given: castor login USER")
		}
		name = strings.TrimSpace(name)
	}
	password, err := readPassword(cmd, in, "Password: ", fromStdin)
	if err != nil {
		return err
	}
	t, err := client.Login(cmd.Context(), api.Login{Name: name, Password: password})
	if errors.Is(err, access.ErrUnauthenticated) {
		return errors.New("user or password are not right") // not "run castor login"
	}
	if err != nil {
		return err
	}
	err = a.change(cmd.Context(), func(all *sessions) error {
		pem := ""
		if old := all.Sessions[a.url]; old != nil {
			pem = old.CA
		}
		if pem, err = a.authority(pem); err != nil {
			return err
		}
		all.Current = a.url
		all.Sessions[a.url] = &session{URL: a.url, CA: pem, User: name, Access: t.Access, Expires: t.Expires, Refresh: t.Refresh}
		return nil
	})
	if err != nil {
		return err
	}
	roles := ""
	if t.User != nil {
		roles = " (" + join(t.User.Roles) + ")"
	}
	done(cmd, "Signed in at %s as %s%s.", a.url, name, roles)
	return nil
}

// readPassword asks without showing what is typed. Where there is no terminal the password must be asked to be read.
func readPassword(cmd *cobra.Command, in *bufio.Reader, prompt string, fromStdin bool) (string, error) {
	if f, ok := cmd.InOrStdin().(*os.File); ok && !fromStdin && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(b), err
	}
	if !fromStdin {
		return "", errors.New("there is no terminal to ask for the password: use --password-stdin")
	}
	s, err := in.ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimRight(s, "\r\n"), nil
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "End the session at a platform", Args: cobra.NoArgs,
		Example: "  castor logout",
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, _ []string) error {
			return a.change(ctx, func(all *sessions) error {
				s := all.Sessions[a.url]
				if s == nil || s.Refresh == "" {
					return fmt.Errorf("you are not signed in at %s", a.url)
				}
				c.Authorize = nil
				if err := c.Logout(ctx, s.Refresh); err != nil {
					return err
				}
				all.Sessions[a.url] = &session{URL: s.URL, CA: s.CA} // where to sign in next
				done(cmd, "Signed out at %s.", a.url)
				return nil
			})
		}),
	}
}
