"""What the product costs, beside the least that the same work costs on the same machine in the same run."""
