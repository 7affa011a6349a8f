environment "odd" { version = "new" }
