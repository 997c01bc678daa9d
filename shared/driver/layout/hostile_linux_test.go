package layout

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver/javascript"
)

// Whatever stands in a folder under the name of a file that is read: nothing of outside comes in, and reading ends.
func TestWhatIsNoFileOfTheFolder(t *testing.T) {
	outside := tree(t, map[string]string{"secret.js": meter})
	for name, c := range map[string]struct {
		make func(file string) error
		want string
	}{
		"a link to a device":  {func(file string) error { return os.Symlink("/dev/zero", file) }, "is a link that leaves the folder"},
		"a link to a file":    {func(file string) error { return os.Symlink(filepath.Join(outside, "secret.js"), file) }, "put a copy of the file there"},
		"a link to nothing":   {func(file string) error { return os.Symlink("gone", file) }, "no"},
		"a link to itself":    {func(file string) error { return os.Symlink(filepath.Base(file), file) }, "too many"},
		"a pipe":              {func(file string) error { return syscall.Mkfifo(file, 0o600) }, "is no regular file but a pipe"},
		"a folder":            {func(file string) error { return os.Mkdir(file, 0o700) }, "is no regular file but a folder"},
		"a file that is huge": {func(file string) error { return os.WriteFile(file, make([]byte, maxFile+1), 0o600) }, "16 MiB"},
	} {
		for layout, files := range map[string]struct{ about, text, code string }{
			"castor":          {FileName, "name: a\nversion: 1.0.0\nkind: javascript\ncode: codec.js\n", "codec.js"},
			"lorawan-devices": {"acme/codec.yaml", "uplinkDecoder:\n  fileName: codec.js\n  examples: [{description: x, input: {bytes: [1]}, output: {data: {}}}]\n", "acme/codec.js"},
			"chirpstack":      {"acme/codecs/test_decode_codec.json", "[]", "acme/codecs/codec.js"},
		} {
			dir := tree(t, map[string]string{files.about: files.text})
			if err := c.make(filepath.Join(dir, files.code)); err != nil {
				t.Fatal(err)
			}
			suites := ends(t, func() ([]Suite, error) { return Read(layout, dir) })
			if len(suites) != 1 || suites[0].Broken == nil || !strings.Contains(suites[0].Broken.Error(), filepath.Base(files.code)) || !strings.Contains(suites[0].Broken.Error(), c.want) {
				t.Errorf("%s in %s: %+v, want %q", name, layout, suites, c.want)
			}
		}
		dir := t.TempDir()
		if err := c.make(filepath.Join(dir, FileName)); err != nil {
			t.Fatal(err)
		}
		err := ends(t, func() (error, error) { _, err := Folder(dir); return err, nil })
		if err == nil || !strings.Contains(err.Error(), FileName) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s as %s: %v, want %q", name, FileName, err, c.want)
		}
	}
	dir := tree(t, map[string]string{"own.js": meter, FileName: "name: a\nversion: 1.0.0\nkind: javascript\ncode: codec.js\n"})
	if err := os.Symlink("own.js", filepath.Join(dir, "codec.js")); err != nil {
		t.Fatal(err)
	}
	d, err := Folder(dir)
	if err != nil {
		t.Fatal("a link within the folder: ", err)
	}
	if _, err := javascript.New(d.Code, javascript.Limits{}); err != nil {
		t.Error(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ends(t, func() (error, error) { _, err := Folder(pipe); return err, nil }); err == nil || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("a pipe as folder: %v", err)
	}
}

// ends gives what f gives, and ends the test if f does not end.
func ends[T any](t *testing.T, f func() (T, error)) (v T) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		var err error
		v, err = f()
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	return v
}
