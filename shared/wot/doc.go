// Package wot writes types as Thing Models of the W3C Web of Things (Thing Description 1.1, 2023) and reads Thing Models as types. What the
// platform knows of a type comes back as it was; what a Thing Model says and the platform does not know is told, never dropped in silence.
// Nothing is fetched: a model must be whole.
package wot

// MediaType is the type of a Thing Model.
const MediaType = "application/tm+json"

// The names in @context.
const (
	context11 = "https://www.w3.org/2022/wot/td/v1.1"
	context10 = "https://www.w3.org/2019/wot/td/v1"

	// Namespace is that of the platform's own terms, which begin with "castor:".
	Namespace = "urn:castor:type:"
)

// vocabularies are prefixes whose meaning is known wherever a model has them; those of other vocabularies are written out as IRIs when they
// are read.
var vocabularies = map[string]string{
	"castor": Namespace,
	"brick":  "https://brickschema.org/schema/Brick#",
	"om":     "http://www.ontology-of-units-of-measure.org/resource/om-2/",
	"qudt":   "http://qudt.org/schema/qudt/",
	"saref":  "https://saref.etsi.org/core/",
	"schema": "https://schema.org/",
	"sosa":   "http://www.w3.org/ns/sosa/",
	"ssn":    "http://www.w3.org/ns/ssn/",
}
