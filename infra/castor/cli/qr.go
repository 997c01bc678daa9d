package cli

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
	"github.com/castor-iot/castor/shared/api"
)

// quiet is how many modules of light must surround a QR code.
const quiet = 4

// showQR shows a claim's text as a QR code: in the terminal, as a PNG file for its owner's eyes only, or both.
func showQR(w io.Writer, claim *api.ClaimFile, terminal bool, file string) error {
	text, err := claim.Text()
	if err != nil {
		return err
	}
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return err
	}
	if terminal {
		if _, err := fmt.Fprintf(w, "%s%s\n", blocks(code), text); err != nil {
			return err
		}
	}
	if file == "" {
		return nil
	}
	size := 8 * code.Bounds().Dx()
	large, err := barcode.Scale(code, size, size)
	if err != nil {
		return err
	}
	framed := image.NewGray(image.Rect(0, 0, size+16*quiet, size+16*quiet))
	for i := range framed.Pix {
		framed.Pix[i] = 0xff
	}
	for y := range size {
		for x := range size {
			framed.Set(x+8*quiet, y+8*quiet, large.At(x, y))
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, framed); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o600)
}

// blocks draws a code with half blocks, two rows of modules a line, light on dark terminals and dark ones alike: the colours
// are set.
func blocks(code image.Image) string {
	n := code.Bounds().Dx()
	dark := func(x, y int) bool {
		if x < 0 || y < 0 || x >= n || y >= n {
			return false
		}
		r, _, _, _ := code.At(x, y).RGBA()
		return r < 0x8000
	}
	var out strings.Builder
	for y := -quiet; y < n+quiet; y += 2 {
		out.WriteString("\x1b[30;107m")
		for x := -quiet; x < n+quiet; x++ {
			switch top, bottom := dark(x, y), dark(x, y+1); {
			case top && bottom:
				out.WriteRune('█')
			case top:
				out.WriteRune('▀')
			case bottom:
				out.WriteRune('▄')
			default:
				out.WriteRune(' ')
			}
		}
		out.WriteString("\x1b[0m\n")
	}
	return out.String()
}

// readSerials reads one serial a line; empty lines do not count.
func readSerials(file string) (out []string, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	if len(out) == 0 {
		return nil, errors.New(file + " has no serials")
	}
	return out, nil
}
