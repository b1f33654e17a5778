// Package shim hands out the upstream Terraform provider for Docker, which is internal to its module.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider returns upstream's provider: its resource schemas and the code behind them.
func NewProvider() *schema.Provider {
	return provider.New("dev")()
}
