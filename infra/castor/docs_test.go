package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var (
	fence = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```")
	typed = regexp.MustCompile(`^(?:\$ )?((?:[A-Z_]+=\S+ )*)castor (\S.*)$`)
	words = regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`)
)

// Every command that the documents and the help show is one that this program takes: its name, its flags and how many arguments.
func TestWhatTheDocumentsTypeCanBeTyped(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) < 5 {
		t.Fatalf("documents: %v, %v", files, err)
	}
	seen := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fence.FindAllSubmatch(text, -1) {
			for _, line := range strings.Split(strings.ReplaceAll(string(block[1]), "\\\n", " "), "\n") {
				if m := typed.FindStringSubmatch(line); m != nil {
					seen++
					if err := takes(m[2]); err != nil {
						t.Errorf("%s: %s\n  %v", filepath.Base(file), line, err)
					}
				}
			}
		}
	}
	if seen < 60 {
		t.Errorf("the documents show %d commands only: are they read right?", seen)
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, line := range strings.Split(c.Example, "\n") {
			if m := typed.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				if err := takes(m[2]); err != nil {
					t.Errorf("%s --help: %s\n  %v", c.CommandPath(), line, err)
				}
			}
		}
		if c.Runnable() && c.Example == "" && c.Name() != "help" && c.Parent() != nil && c.Parent().Name() != "completion" {
			t.Errorf("%s --help shows no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(rootCommand())
}

// takes tells why the program would not take what is typed; what it says in words, after several spaces, is no part of it.
func takes(line string) error {
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, "   ")
	for _, end := range []string{" | ", " > ", " < ", " && ", "; "} {
		line, _, _ = strings.Cut(line, end)
	}
	var args []string
	for _, w := range words.FindAllString(line, -1) {
		args = append(args, strings.Trim(w, `"'`))
	}
	root := rootCommand()
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if c == root && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("there is no command %q", args[0])
	}
	if err := c.ParseFlags(rest); errors.Is(err, pflag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if c.HasSubCommands() && c.Flags().NArg() > 0 {
		return fmt.Errorf("%s has no command %q", c.CommandPath(), c.Flags().Arg(0))
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		return err
	}
	return c.ValidateRequiredFlags()
}
