// Package deploy checks what operators deploy, infra/kubernetes and infra/compose, without a cluster, a container or a network: that
// every object fits its schema, that what refers to something finds it, that nothing runs with more rights than it needs, and that
// names, settings and secrets are those of the programs and of stack.yml. Each check is a function that returns faults; its test
// plants mistakes and wants each of them found. Whether the platform works is for tests/e2e.
package deploy
