// Command pulumi-resource-docker serves the Docker types that archi uses, for places where Pulumi's own plugin
// cannot be downloaded. It does what that plugin does at the version it claims; README.md one folder up says why.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// maxMessage is what the engine sends at most; gRPC's default of 4 MiB is too little for uploads.
const maxMessage = 400 << 20

func main() {
	// Upstream logs every inspected container at debug level; the engine would show it all.
	log.SetOutput(io.Discard)

	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterResourceProviderServer(server, newProvider())
			return nil
		},
		Options: []grpc.ServerOption{grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage)},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(handle.Port) // The engine reads the port from the first line.
	if err := <-handle.Done; err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
