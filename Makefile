.DEFAULT_GOAL := help

.PHONY: generate
generate: ## Remake the generated code from proto/ (commit what changes)
	@tools/generate

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14
