package images_test

import (
	"os/exec"
	"testing"

	"github.com/castor-iot/castor/tests/images"
)

// The images that are no functions are built from what their .dockerignore lets in: nothing they need may be missing there.
func TestPrograms(t *testing.T) {
	all, err := images.Programs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, program := range all {
		if said, err := exec.Command(program, "--help").CombinedOutput(); err != nil {
			t.Errorf("%s --help: %v\n%s", name, err, said)
		}
	}
}
