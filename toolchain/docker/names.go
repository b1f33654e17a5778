package main

import (
	"strings"

	"github.com/gertd/go-pluralize"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

// resourceTypes maps the Pulumi types that are served to upstream's names for them.
var resourceTypes = map[string]string{
	"docker:index/container:Container":     "docker_container",
	"docker:index/network:Network":         "docker_network",
	"docker:index/remoteImage:RemoteImage": "docker_image",
	"docker:index/volume:Volume":           "docker_volume",
}

// irregular are the collections that pulumi-docker does not name by the rule.
var irregular = map[string]string{
	"command":           "command",
	"network_data":      "networkDatas",
	"networks_advanced": "networksAdvanced",
	"registry_auth":     "registryAuth",
}

var plurals = pluralize.NewClient()

// propertyName is the Pulumi name of an upstream attribute: in camel case, plural where it holds several.
func propertyName(attribute string, s *schema.Schema) string {
	if name, ok := irregular[attribute]; ok && isCollection(s) {
		return name
	}
	if isCollection(s) && !isSingle(s) {
		attribute = plurals.Plural(attribute)
	}
	words := strings.Split(attribute, "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// attributes maps the Pulumi names of a block's attributes back to upstream's.
func attributes(block map[string]*schema.Schema) map[string]string {
	names := make(map[string]string, len(block))
	for attribute, s := range block {
		names[propertyName(attribute, s)] = attribute
	}
	return names
}

func isCollection(s *schema.Schema) bool {
	return s.Type == schema.TypeList || s.Type == schema.TypeSet
}

// isSingle tells whether a collection holds one element at most: Pulumi shows it as that element.
func isSingle(s *schema.Schema) bool {
	return isCollection(s) && s.MaxItems == 1
}

// nested returns the attributes of a collection's elements, or nil when these are plain values.
func nested(s *schema.Schema) map[string]*schema.Schema {
	if elem, ok := s.Elem.(*schema.Resource); ok && isCollection(s) {
		return elem.Schema
	}
	return nil
}

// isBlock tells whether the attribute is a block in upstream's terms: unset it is empty, not null.
func isBlock(s *schema.Schema) bool {
	computedOnly := s.Computed && !s.Optional
	return nested(s) != nil && !computedOnly && s.ConfigMode != schema.SchemaConfigModeAttr
}
