package twins

import (
	"slices"
	"strings"
	"unicode"

	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Bounds of what is kept of a twin to be found by, and of what is searched for.
const (
	maxFound    = 32  // words of one twin
	maxSearch   = 8   // words of one search
	maxSearched = 200 // bytes of one search
)

// fold brings text into the form in which lists compare it: without case and accents, so that "koln" finds "Köln".
func fold(s string) string {
	s = cases.Fold().String(norm.NFKD.String(s))
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, s)
}

// wordsIn are the folded words of texts, each once, sorted: what letters and digits stand together.
func wordsIn(texts ...string) []string {
	var words []string
	for _, s := range texts {
		words = append(words, strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// wordsOf are the words by which a twin is found: of its id, name, tags, site and region.
func wordsOf(t *twin.Twin) []string {
	d := &t.Definition
	texts := append([]string{string(t.ID), d.Name}, d.Tags...)
	if d.Location != nil {
		texts = append(texts, d.Location.Site, d.Location.Region)
	}
	return wordsIn(texts...)
}

// cuts are how many characters the beginnings of words have that the index holds: few enough to keep it small, near enough
// to each other to leave little to look through.
var cuts = []int{1, 2, 3, 4, 6, 8, 12, 16, 24}

// beginning is the longest beginning of a word that the index holds.
func beginning(word string) string {
	n, at := 0, 0
	for i := range word { // i is where character number n begins
		if slices.Contains(cuts, n) {
			at = i
		}
		n++
	}
	if slices.Contains(cuts, n) {
		at = len(word)
	}
	return word[:at]
}

// beginnings are the beginnings of words that the index holds, each once.
func beginnings(words []string) []string {
	var all []string
	for _, w := range words[:min(len(words), maxFound)] {
		n := 0
		for i := range w {
			if slices.Contains(cuts, n) {
				all = append(all, w[:i])
			}
			n++
		}
		if slices.Contains(cuts, n) {
			all = append(all, w)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// found tells whether each word of a search begins one of the words, which are sorted.
func found(words, search []string) bool {
	return !slices.ContainsFunc(search, func(s string) bool {
		i, _ := slices.BinarySearch(words, s)
		return i == len(words) || !strings.HasPrefix(words[i], s)
	})
}
