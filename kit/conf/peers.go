package conf

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Peers are the targets of the other services. One environment file serves all
// processes: each also finds its own listening port here.
type Peers struct {
	IdentityAddr   string `env:"IDENTITY_ADDR" envDefault:"127.0.0.1:7101" doc:"gRPC target of identity"`
	OrdersAddr     string `env:"ORDERS_ADDR" envDefault:"127.0.0.1:7102" doc:"gRPC target of orders"`
	EcosyncAddr    string `env:"ECOSYNC_ADDR" envDefault:"127.0.0.1:7103" doc:"gRPC target of ecosync"`
	ShippingAddr   string `env:"SHIPPING_ADDR" envDefault:"127.0.0.1:7104" doc:"gRPC target of shipping"`
	AssignmentAddr string `env:"ASSIGNMENT_ADDR" envDefault:"127.0.0.1:7105" doc:"gRPC target of assignment"`
	SchedulerAddr  string `env:"SCHEDULER_ADDR" envDefault:"127.0.0.1:7106" doc:"gRPC target of scheduler"`
}

// adminOffset is added to a gRPC port to find the port of health and metrics.
const adminOffset = 1000

// Addr is the gRPC target of the named service, "" when there is no such service.
func (p Peers) Addr(service string) string {
	switch service {
	case "identity":
		return p.IdentityAddr
	case "orders":
		return p.OrdersAddr
	case "ecosync":
		return p.EcosyncAddr
	case "shipping":
		return p.ShippingAddr
	case "assignment":
		return p.AssignmentAddr
	case "scheduler":
		return p.SchedulerAddr
	default:
		return ""
	}
}

func (p Peers) faults() []error {
	var faults []error
	for _, service := range []string{"identity", "orders", "ecosync", "shipping", "assignment", "scheduler"} {
		if target := p.Addr(service); target != "" {
			faults = append(faults, addressFaults(strings.ToUpper(service)+"_ADDR", endpoint(target))...)
		}
	}
	return faults
}

// ListenAddr is where the named service listens for gRPC: GRPC_ADDR, else the port
// of its own target, on loopback when the target is loopback, else on all interfaces
// (in Kubernetes the target is the Service's name, which no container can bind).
func (p Process) ListenAddr(service string) string {
	if p.GRPCAddr != "" {
		return p.GRPCAddr
	}
	host, port, err := net.SplitHostPort(endpoint(p.Peers.Addr(service)))
	if err != nil {
		return ""
	}
	if !isLoopback(host) {
		host = ""
	}
	return net.JoinHostPort(host, port)
}

// AdminListenAddr is where the named service serves health and metrics: ADMIN_ADDR,
// else its gRPC address with the port raised by 1000.
func (p Process) AdminListenAddr(service string) string {
	if p.AdminAddr != "" {
		return p.AdminAddr
	}
	host, port, err := net.SplitHostPort(p.ListenAddr(service))
	if err != nil {
		return ""
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return ""
	}
	if n != 0 { // port 0 is "any free port", and so is the admin port then
		n += adminOffset
	}
	return net.JoinHostPort(host, strconv.Itoa(n))
}

// endpoint takes the resolver off a gRPC target: dns:///orders:7102 → orders:7102.
func endpoint(target string) string {
	if i := strings.LastIndex(target, "/"); i >= 0 {
		return target[i+1:]
	}
	return target
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func addressFaults(variable, addr string) []error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		if n, atoiErr := strconv.Atoi(port); atoiErr == nil && n >= 0 && n <= 65535-adminOffset {
			return nil
		}
	}
	return []error{Fault{
		variable,
		fmt.Sprintf("%q is not host:port with a port up to %d", addr, 65535-adminOffset),
		"write it like 127.0.0.1:7102",
	}}
}
