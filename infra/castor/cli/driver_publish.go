package cli

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/layout"
	"github.com/spf13/cobra"
)

func (a *app) driverPublish() *cobra.Command {
	var owner, key, share string
	var activate bool
	c := &cobra.Command{Use: "publish [DIR]", Short: "Publish a version of a driver; the platform runs its tests and refuses it if one fails", Args: cobra.MaximumNArgs(1),
		Long: `Publish a version of a driver: the folder DIR (default: here) with its driver.yaml. The platform runs its tests and refuses it if one fails.

Nobody uses what was published until it is a canary or active. The same version again is the same, with other content it is refused: give
what has changed another version.`,
		Example: `  castor driver publish
  castor driver publish acme-th1 --owner press --canary 5%
  castor driver publish acme-th1 --key acme.key --activate`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			canary := api.Canary{}
			var err error
			if share != "" {
				if canary.Percent, err = percent(share); err == nil && canary.Percent == 0 {
					err = errors.New("--canary 0% is no device: give a share like 5%, or leave it out")
				}
			}
			if err == nil && share != "" && activate {
				err = errors.New("--activate is for all devices, --canary for some: give one of them")
			}
			if err != nil {
				return err
			}
			dir := folderOf(args)
			d, err := layout.Folder(dir)
			if err != nil {
				return err
			}
			if err := driver.Check(d); err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
			there, err := published(ctx, c, d)
			if err != nil {
				return err
			}
			in := api.PublishDriver{Driver: *d, Owner: owner}
			if key != "" {
				if in.Key, in.Signature, err = sign(d, key); err != nil {
					return err
				}
			}
			v, err := c.PublishDriver(ctx, in)
			if err != nil {
				return refusal(cmd, d, err)
			}
			switch {
			case activate:
				v, err = c.PromoteDriver(ctx, v.Name, v.Version)
			case share != "":
				v, err = c.CanaryDriver(ctx, v.Name, v.Version, canary)
			}
			if err != nil {
				return fmt.Errorf("driver %s %s is published, but: %w", d.Name, d.Version, err)
			}
			if a.output == asTable && v.State == api.DriverDraft {
				hint(cmd, "Nobody uses it yet: castor driver canary %s %s 5%%, or castor driver promote %s %s", v.Name, v.Version, v.Name, v.Version)
			}
			if a.output == asTable && !there && owner == "" {
				if made, err := c.GetDriver(ctx, v.Name); err == nil && made.Owner == "" {
					hint(cmd, "Driver %s is the platform's: everybody may use it. Give a new driver --owner GROUP to make it a group's.", v.Name)
				}
			}
			if there {
				return printDone(a, cmd, v, "driver %s %s is there already, with the same content; it is %s", v.Name, v.Version, driverState(v))
			}
			return printDone(a, cmd, v, "driver %s %s published: %s passed; it is %s", v.Name, v.Version, count(v.Tests, "test"), driverState(v))
		})}
	f := c.Flags()
	f.StringVar(&owner, "owner", "", "group a new driver belongs to (default yours, if you are in one only; a maintainer's is the platform's, for everybody)")
	f.StringVar(&key, "key", "", "file with the key that signs it, made by castor driver key")
	f.StringVar(&share, "canary", "", "have a share of the devices use it at once, like 5%")
	f.BoolVar(&activate, "activate", false, "have all devices use it at once")
	check(c.RegisterFlagCompletionFunc("owner", groupIDs(a)))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// published tells whether the platform has the version already.
func published(ctx context.Context, c *api.Client, d *driver.Driver) (bool, error) {
	old, err := c.GetDriver(ctx, d.Name)
	if errors.Is(err, api.ErrNotFound) {
		return false, nil
	}
	return slices.ContainsFunc(old.Versions, func(v api.DriverVersion) bool { return v.Version == d.Version }), err
}

// refusal prints all that the platform found wrong, as castor driver test prints failures, and is the error of it in one line.
func refusal(cmd *cobra.Command, d *driver.Driver, err error) error {
	var p *api.Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		return err
	}
	for _, failure := range p.Errors {
		fmt.Fprintln(cmd.OutOrStdout(), "  FAIL "+plain(failure))
	}
	return fmt.Errorf("driver %s %s was refused: %s", d.Name, d.Version, count(len(p.Errors), "failure"))
}

// percent reads a share of devices: "5%".
func percent(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, "%"))
	if err != nil || n < 0 || n > 100 {
		return 0, fmt.Errorf("share %.20q must be a whole number of percent from 0 to 100, like 5%%", s)
	}
	return n, nil
}

// driverKey makes a key that signs drivers.
func (a *app) driverKey() *cobra.Command {
	c := &cobra.Command{Use: "key FILE", Short: "Make a key that signs drivers, in a file that only you may read", Args: cobra.ExactArgs(1),
		Long: `Make a key (Ed25519, PKCS #8) that signs drivers, in a file that only you may read.

Once a version of a driver was published with a key, the platform takes no version of it that the same key has not signed, whoever publishes
it. Who loses the key publishes under another name, so keep a copy.`,
		Example: `  castor driver key acme.key
  castor driver publish acme-th1 --key acme.key`,
		RunE: func(cmd *cobra.Command, args []string) error {
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				return err
			}
			der, err := x509.MarshalPKCS8PrivateKey(private)
			if err != nil {
				return err
			}
			if err := writeNew(args[0], pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
				if errors.Is(err, fs.ErrExist) {
					return fmt.Errorf("%s is there already; drivers that it has signed take no other key: choose another file", args[0])
				}
				return err
			}
			shown := base64.StdEncoding.EncodeToString(public)
			return printDone(a, cmd, map[string]string{"file": args[0], "public": shown}, "%s holds the key; its public part is %s", args[0], shown)
		}}
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

// writeNew writes a file that only its owner may read, and that must not be there yet.
func writeNew(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// sign signs a driver with the key in a file: public key and signature, both base64.
func sign(d *driver.Driver, name string) (public, signature string, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", "", fmt.Errorf("--key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", "", fmt.Errorf("--key: %s holds no key in PEM; castor driver key %s.new makes one", name, name)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return "", "", fmt.Errorf("--key: %s must be an Ed25519 private key (PKCS #8)", name)
	}
	digest, err := driver.Digest(d)
	if err != nil {
		return "", "", err
	}
	public = base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	return public, base64.StdEncoding.EncodeToString(ed25519.Sign(key, digest)), nil
}
