package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/layout"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/spf13/cobra"
)

func driverRun() *cobra.Command {
	var port int
	var encode, downlink, text, b64 bool
	var topic, kind, state, command string
	var limit time.Duration
	c := &cobra.Command{Use: "run DIR PAYLOAD", Short: "Give a driver bytes and see the data, or data and see the bytes", Args: payloadArgs,
		Example: `  castor driver run . "08 98 64 0c e4" --port 1
  castor driver run . --text '{"temp": 21.5}'
  castor driver run . --encode '{"led": "green"}'
  castor driver run . --encode '{"percent": 40}' --command open
  castor driver run . --event telemetry '{"temperature": -2}' --state 00`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := layout.Folder(args[0])
			if err != nil {
				return err
			}
			call := driver.Call{Op: driver.DecodeUplink, Port: port, Topic: topic, Time: time.Now()}
			switch {
			case kind != "":
				call.Op, call.Kind = driver.OnEvent, telemetry.Kind(kind)
				if call.State, err = octets("--state", state); err == nil {
					call.Data, err = jsonOf(args[1])
				}
			case state != "":
				return errors.New("--state goes with --event: it is what on_event answered last")
			case encode && command != "":
				call, err = driver.CommandFor(d.Kind, command, json.RawMessage(args[1]))
				call.Port, call.Topic, call.Time = port, topic, time.Now()
			case command != "":
				return errors.New("--command goes with --encode: PAYLOAD is its input")
			case encode:
				call.Op = driver.EncodeDownlink
				call.Data, err = jsonOf(args[1])
			case text:
				call.Bytes = []byte(args[1])
			case b64:
				if call.Bytes, err = base64.StdEncoding.DecodeString(args[1]); err != nil {
					err = errors.New("PAYLOAD must be base64 with its padding, like AH0=")
				}
			default:
				if call.Bytes, err = octets("PAYLOAD", args[1]); err != nil {
					err = fmt.Errorf("%w; it is hexadecimal, unless --text, --base64, --encode or --event is given", err)
				}
			}
			if err != nil {
				return err
			}
			if err := call.Check(); err != nil {
				return err
			}
			if downlink {
				call.Op = driver.DecodeDownlink
			}
			pool, err := workers(limit)
			if err != nil {
				return err
			}
			defer pool.Close()
			codec, err := pool.Open(d)
			if err != nil {
				return err
			}
			results, err := codec.Run(cmd.Context(), []driver.Call{call})
			if err != nil {
				return err
			}
			if err := printResult(cmd.OutOrStdout(), call.Op, results[0]); err != nil || call.Op != driver.DecodeUplink {
				return err
			}
			if r := results[0]; r.Data == nil && len(r.Records) == 0 && d.Kind != driver.Declarative {
				hint(cmd, "It answered without data: nothing of such a message is kept. What it finds goes into data: {data: {…}}.")
			}
			return printNormalised(cmd, codec, &call, &results[0])
		}}
	f := c.Flags()
	f.IntVar(&port, "port", 0, "LoRaWAN FPort")
	f.StringVar(&topic, "topic", "", "MQTT topic it came in on")
	f.BoolVar(&encode, "encode", false, "PAYLOAD is JSON for the device")
	f.StringVar(&command, "command", "", "with --encode: PAYLOAD is the input of this command, as devices' commands come to the driver; null = none")
	f.StringVar(&kind, "event", "", "PAYLOAD is JSON that on_event is told: what a message of this kind says (telemetry, state, event, presence, response)")
	f.StringVar(&state, "state", "", "with --event: the state that it answered last, hexadecimal")
	f.BoolVar(&downlink, "downlink", false, "the bytes are for the device, not from it")
	f.BoolVar(&text, "text", false, "PAYLOAD is text as it is")
	f.BoolVar(&b64, "base64", false, "PAYLOAD is base64")
	f.DurationVar(&limit, "limit", 0, "how long the call may compute (default 100ms)")
	return c
}

// payloadArgs wants folder and payload, and knows how a payload becomes several.
func payloadArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 2 {
		return fmt.Errorf("PAYLOAD is one argument, here it is %d; put it into quotes: '%.60s'", len(args)-1, strings.Join(args[1:], " "))
	}
	return cobra.ExactArgs(2)(cmd, args)
}

// likeJSON is how JSON stands on a command line.
const likeJSON = `names and texts stand in double quotes, all of it in single ones: '{"on": true}', '"text"'`

// octets reads hexadecimal digits as people write them.
func octets(what, text string) ([]byte, error) {
	digits := strings.NewReplacer(" ", "", ":", "", "0x", "").Replace(text)
	if i := strings.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(digits[i:])
		return nil, fmt.Errorf("%s: %q is no hexadecimal digit", what, r)
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return nil, fmt.Errorf("%s: %d hexadecimal digits are no whole bytes; each has two", what, len(digits))
	}
	return b, nil
}

func jsonOf(text string) (v any, err error) {
	if err = json.Unmarshal([]byte(text), &v); err != nil {
		return nil, fmt.Errorf("PAYLOAD must be JSON: %w; %s", err, likeJSON)
	}
	return v, nil
}

// printNormalised shows what the driver's normalizeUplink makes of decoded data, if it has that.
func printNormalised(cmd *cobra.Command, codec driver.Codec, call *driver.Call, decoded *driver.Result) error {
	if decoded.Data == nil {
		return nil
	}
	results, err := codec.Run(cmd.Context(), []driver.Call{{Op: driver.NormalizeUplink, Data: decoded.Data, Time: call.Time}})
	if err != nil || results[0].Failure == driver.Missing {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), "normalised, which counts for types that say normalised: true")
	return printResult(cmd.OutOrStdout(), driver.NormalizeUplink, results[0])
}

func printResult(w io.Writer, op driver.Op, r driver.Result) error {
	for _, line := range r.Log {
		fmt.Fprintln(w, "log:", plain(line))
	}
	for _, s := range r.Warnings {
		fmt.Fprintln(w, "warning:", plain(s))
	}
	if r.Failure == driver.Timeout {
		return fmt.Errorf("the driver failed (%s): %s; --limit gives it longer here, limit in driver.yaml on the platform, 1s at most", r.Failure, r.Reason)
	}
	if r.Failure != "" {
		return fmt.Errorf("the driver failed (%s): %s", r.Failure, r.Reason)
	}
	if len(r.Errors) > 0 {
		return fmt.Errorf("the driver says: %s", strings.Join(r.Errors, "; "))
	}
	if op == driver.EncodeDownlink {
		fmt.Fprintf(w, "% x\n", r.Bytes)
		for _, s := range []struct{ name, value string }{{"port", nonzero(r.Port)}, {"topic", r.Topic}} {
			if s.value != "" {
				fmt.Fprintf(w, "%s: %s\n", s.name, plain(s.value))
			}
		}
		return nil
	}
	var out any = r.Data
	if op == driver.OnEvent {
		out = map[string]any{"state": hex.EncodeToString(r.State), "commands": r.Commands}
	}
	if len(r.Records) > 0 {
		out = r.Records
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := w.Write(escaped(text.Bytes()))
	return err
}

func nonzero(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
