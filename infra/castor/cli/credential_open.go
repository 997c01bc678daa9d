package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/spf13/cobra"
)

// credentialKey makes what a secret is sealed to. It needs no platform: the private key stays where it is made.
func credentialKey() *cobra.Command {
	var file string
	c := &cobra.Command{Use: "key", Short: "Make the key that a device's secret is sealed to, and print its public half", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Make the key that a device's secret is sealed to (X25519), and print its public half: it is the publicKey of a request to be provisioned, of a knock,\n" +
			"and of a renewal. If the file is there already, its public half is printed. Nothing is sent.",
		Example: "  castor credential key --out p-7.key",
		RunE: func(cmd *cobra.Command, _ []string) error {
			public, _, err := keyFile(file)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), public)
			return err
		}}
	c.Flags().StringVar(&file, "out", "", "file for the private key; keep it to yourself")
	check(c.MarkFlagRequired("out"))
	check(c.MarkFlagFilename("out"))
	return c
}

// credentialOpen opens a sealed secret where its key is.
func credentialOpen() *cobra.Command {
	var file, ref string
	c := &cobra.Command{Use: "open [SEALED]", Short: "Open the secret of a bundle or of a renewal with the key that it was sealed to", Args: cobra.MaximumNArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Open the secret of a bundle or of a renewal with the key that it was sealed to. Give the sealed text and the device's reference, both of which\n" +
			"stand in the answer; or the whole answer, as JSON, on standard input. What it prints is the secret: field secret is what the device shows.",
		Example: "  castor credential open --key p-7.key < answer.json | jq -r .secret\n  castor credential open --key p-7.key --ref p-7-3f0c BASE64",
		RunE: func(cmd *cobra.Command, args []string) error {
			private, err := readKey(file)
			if err != nil {
				return err
			}
			var sealed string
			switch {
			case len(args) == 0 && ref != "":
				return errors.New("--ref is for a sealed text that is given; an answer on standard input has the reference in it")
			case len(args) == 0:
				if ref, sealed, err = sealedAnswer(cmd.InOrStdin()); err != nil {
					return err
				}
			case ref == "":
				return errors.New("--ref is missing: the device's reference, field ref of the bundle")
			default:
				sealed = strings.TrimSpace(args[0])
			}
			plain, err := seal.Open(private, api.SealInfo(device.Ref(ref)), sealed)
			if err != nil {
				return fmt.Errorf("opening with %s for device %.80q: %w", file, ref, err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", plain)
			return err
		}}
	c.Flags().StringVar(&file, "key", "", "the key file that castor credential key made")
	c.Flags().StringVar(&ref, "ref", "", "the device's reference")
	check(c.MarkFlagRequired("key"))
	check(c.MarkFlagFilename("key"))
	return c
}

// maxSealedAnswer bounds an answer in bytes.
const maxSealedAnswer = 1 << 20

// sealedAnswer finds the sealed text in a bundle, in an answer that has one, or in the answer to a renewal.
func sealedAnswer(r io.Reader) (ref, sealed string, err error) {
	type sealing struct {
		Ref    string `json:"ref"`
		Sealed string `json:"sealed"`
	}
	var in struct {
		sealing
		Bundle sealing `json:"bundle"`
	}
	if err := json.NewDecoder(io.LimitReader(r, maxSealedAnswer)).Decode(&in); err != nil {
		return "", "", fmt.Errorf("what comes on standard input is no answer in JSON: %w", err)
	}
	if in.Sealed == "" {
		in.sealing = in.Bundle
	}
	if in.Ref == "" || in.Sealed == "" {
		return "", "", errors.New("the answer has no fields ref and sealed: it must be accepted, of a device that asked with publicKey")
	}
	return in.Ref, in.Sealed, nil
}
