Hello ${title}
